#include "exporters/s3/piece_compressor.h"

#include <libdeflate.h>

#include <algorithm>
#include <new>

namespace invlog::exporters {
namespace {

// Half the time of level 6 for 6 % more bytes: on agents' conversations 111 MB/s a core against 53,
// and a backlog is to be drained at 50 MB/s with everything else that takes.
constexpr int kGzipLevel = 4;

}  // namespace

void PieceCompressor::FreeCompressor::operator()(libdeflate_compressor* compressor) const {
  libdeflate_free_compressor(compressor);
}

void PieceCompressor::append(std::string& out, std::string_view bytes) {
  switch (compression_) {
    case Compression::none:
      out.append(bytes);
      return;
    case Compression::zstd:
      if (!zstd_) {
        zstd_.emplace();
      }
      zstd_->append_frame(out, bytes);
      return;
    case Compression::gzip:
      break;
  }
  do {
    const std::size_t length = std::min(bytes.size(), kMemberBytes);
    append_member(out, bytes.substr(0, length));
    bytes.remove_prefix(length);
  } while (!bytes.empty());
}

void PieceCompressor::append_member(std::string& out, std::string_view bytes) {
  if (!gzip_) {
    gzip_.reset(libdeflate_alloc_compressor(kGzipLevel));
    if (!gzip_) {
      throw std::bad_alloc();
    }
  }
  const std::size_t bound = libdeflate_gzip_compress_bound(gzip_.get(), bytes.size());
  if (scratch_.size() < bound) {
    scratch_.resize(bound);
  }
  const std::size_t length = libdeflate_gzip_compress(gzip_.get(), bytes.data(), bytes.size(),
                                                      scratch_.data(), scratch_.size());
  out.append(scratch_, 0, length);
}

}  // namespace invlog::exporters
