// Compresses bytes that are there as a whole: gzip as members of at most 1 MiB each, zstd as one
// frame, or not at all.
//
// Why members: libdeflate is two to three times as fast as zlib but wants its input and its output
// in memory at once. RFC 1952 §2.2 makes a gzip file a series of members, and readers (zcat,
// Python, Node, Java and with it Athena, Hive and Trino, DuckDB) read it as their concatenation; at
// 1 MiB a member costs nothing that shows in the size.
//
// Threads: one. Ownership: owns its contexts, each made when it is first needed. Errors: throws
// std::bad_alloc, or std::runtime_error with zstd's reason. What it writes depends on nothing but
// the bytes that come in and the libraries' versions (no time of day, no file name).
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "exporters/s3/s3_options.h"
#include "exporters/s3/zstd_stream.h"

struct libdeflate_compressor;

namespace invlog::exporters {

class PieceCompressor {
 public:
  static constexpr std::size_t kMemberBytes = 1 << 20;

  explicit PieceCompressor(Compression compression) : compression_(compression) {}
  PieceCompressor(const PieceCompressor&) = delete;
  PieceCompressor& operator=(const PieceCompressor&) = delete;

  Compression compression() const { return compression_; }
  // Appends `bytes` compressed. No bytes become an empty member or frame, not nothing: an object of
  // zero bytes is no gzip file.
  void append(std::string& out, std::string_view bytes);

 private:
  void append_member(std::string& out, std::string_view bytes);

  struct FreeCompressor {
    void operator()(libdeflate_compressor* compressor) const;
  };
  const Compression compression_;
  std::unique_ptr<libdeflate_compressor, FreeCompressor> gzip_;
  std::string scratch_;  // one member, so that `out` grows by what is needed
  std::optional<ZstdStream> zstd_;
};

}  // namespace invlog::exporters
