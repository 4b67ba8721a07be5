// The bytes of one object of record lines: lines go in one at a time and are compressed as they
// come, so that memory holds the compressed object and at most 1 MiB of lines (zstd: and a
// context), however long the lines are altogether.
//
// Threads: one. Ownership: the compressor is shared by a batch's objects and must outlive them.
// Errors: throws as the compressor does. The same lines give the same bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "exporters/s3/piece_compressor.h"
#include "exporters/s3/zstd_stream.h"

namespace invlog::exporters {

class ObjectBody {
 public:
  explicit ObjectBody(PieceCompressor& compressor) : compressor_(compressor) {}

  // `line` without its newline, which is added.
  void append(std::string_view line);

  // Compressed bytes so far. Lines that still wait to be compressed count as a quarter.
  std::uint64_t estimated_bytes() const;
  std::uint64_t line_bytes() const { return line_bytes_; }
  // Memory besides the compressed bytes.
  std::size_t working_bytes() const;

  // Compresses what waits. Nothing is appended after that. The bytes live until release().
  std::string_view finish();
  void release();

 private:
  void flush(std::string_view piece);

  PieceCompressor& compressor_;
  std::string pending_;
  std::string bytes_;
  std::optional<ZstdStream> stream_;  // once the lines are more than one piece
  std::uint64_t line_bytes_ = 0;
  bool finished_ = false;
};

}  // namespace invlog::exporters
