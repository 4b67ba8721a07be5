// Compresses what is written to it as one gzip member (RFC 1952) and hands the compressed bytes on.
//
// Thread: the caller's. Errors: throws std::runtime_error if zlib has no memory, and what the sink
// throws.
#pragma once

#include <zlib.h>

#include <functional>
#include <string_view>

namespace invlog::cli {

class GzipStream {
 public:
  using Sink = std::function<void(std::string_view)>;

  explicit GzipStream(Sink sink);
  ~GzipStream();
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;

  void write(std::string_view bytes);
  // Writes the member's end; nothing may follow.
  void finish();

 private:
  void run(std::string_view bytes, int flush);

  const Sink sink_;
  z_stream stream_{};
};

}  // namespace invlog::cli
