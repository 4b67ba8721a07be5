#include "exporters/s3/object_body.h"

namespace invlog::exporters {

void ObjectBody::append(std::string_view line) {
  line_bytes_ += line.size() + 1;
  // A piece ends with a line where it can, so that each gzip member is lines by itself.
  if (pending_.size() + line.size() + 1 > PieceCompressor::kMemberBytes && !pending_.empty()) {
    flush(pending_);
    pending_.clear();
  }
  if (line.size() >= PieceCompressor::kMemberBytes) {
    flush(line);
    line = {};
  }
  pending_.append(line).push_back('\n');
}

std::uint64_t ObjectBody::estimated_bytes() const {
  const bool as_it_is = compressor_.compression() == Compression::none;
  return bytes_.size() + pending_.size() / (as_it_is ? 1 : 4);
}

std::size_t ObjectBody::working_bytes() const {
  return pending_.capacity() + (stream_ ? ZstdStream::memory_bytes() : 0);
}

void ObjectBody::flush(std::string_view piece) {
  if (compressor_.compression() != Compression::zstd) {
    compressor_.append(bytes_, piece);
    return;
  }
  if (!stream_) {
    stream_.emplace();
  }
  stream_->append(bytes_, piece);
}

std::string_view ObjectBody::finish() {
  if (!finished_) {
    finished_ = true;
    if (stream_) {
      stream_->append(bytes_, pending_);
      stream_->end(bytes_);
      stream_.reset();
    } else if (!pending_.empty() || bytes_.empty()) {
      compressor_.append(bytes_, pending_);
    }
    std::string().swap(pending_);  // an assignment would keep the memory
  }
  return bytes_;
}

void ObjectBody::release() {
  std::string().swap(bytes_);
}

}  // namespace invlog::exporters
