#include "agent/cli/gzip_stream.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace invlog::cli {
namespace {

constexpr int kGzipWindow = 15 + 16;  // zlib.h: 32 KiB, with a gzip header
constexpr int kMemoryLevel = 8;

}  // namespace

GzipStream::GzipStream(Sink sink) : sink_(std::move(sink)) {
  if (deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, kMemoryLevel,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("no memory for gzip");
  }
}

GzipStream::~GzipStream() {
  deflateEnd(&stream_);
}

void GzipStream::write(std::string_view bytes) {
  constexpr std::size_t kMost = std::numeric_limits<uInt>::max();
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, kMost);
    run(part, Z_NO_FLUSH);
    bytes.remove_prefix(part.size());
  }
}

void GzipStream::finish() {
  run({}, Z_FINISH);
}

void GzipStream::run(std::string_view bytes, int flush) {
  char buffer[1 << 16];
  stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream_.avail_in = static_cast<uInt>(bytes.size());
  do {
    stream_.next_out = reinterpret_cast<Bytef*>(buffer);
    stream_.avail_out = sizeof buffer;
    deflate(&stream_, flush);
    sink_(std::string_view(buffer, sizeof buffer - stream_.avail_out));
  } while (stream_.avail_out == 0);
}

}  // namespace invlog::cli
