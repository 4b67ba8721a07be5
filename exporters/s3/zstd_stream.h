// One zstd frame in the making, level 3 with a checksum, written a piece at a time.
//
// Threads: one. Ownership: owns its compression context (3 to 4 MB once it is in use), which serves
// one frame after another. Errors: throws std::bad_alloc or std::runtime_error with zstd's reason.
// What it writes depends on nothing but the bytes that come in and zstd's version.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

struct ZSTD_CCtx_s;

namespace invlog::exporters {

class ZstdStream {
 public:
  ZstdStream();
  ~ZstdStream();
  ZstdStream(const ZstdStream&) = delete;
  ZstdStream& operator=(const ZstdStream&) = delete;

  void append(std::string& out, std::string_view bytes);
  // Ends the frame; the next append() begins another.
  void end(std::string& out);
  // A frame of exactly these bytes, which then knows its length; not between append() and end().
  void append_frame(std::string& out, std::string_view bytes);

  // About what the context occupies.
  static constexpr std::size_t memory_bytes() { return 4 << 20; }

 private:
  void run(std::string& out, std::string_view bytes, bool last);

  struct FreeContext {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_CCtx_s, FreeContext> context_;
};

}  // namespace invlog::exporters
