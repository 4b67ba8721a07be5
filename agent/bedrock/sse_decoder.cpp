#include "agent/bedrock/sse_decoder.h"

#include <algorithm>
#include <utility>

namespace invlog::bedrock {

void SseDecoder::feed(std::string_view bytes) {
  if (position_ != 0) {
    buffer_.erase(0, position_);
    searched_ -= position_;
    position_ = 0;
  }
  buffer_.append(bytes);
}

std::optional<std::string_view> SseDecoder::next_line() {
  const std::size_t end = buffer_.find_first_of("\r\n", std::max(position_, searched_));
  const std::string_view all = buffer_;
  if (end == std::string::npos) {
    searched_ = buffer_.size();
    if (!finished_ || position_ == buffer_.size()) {
      return std::nullopt;
    }
    return all.substr(std::exchange(position_, buffer_.size()));
  }
  // A CR at the very end may be the first half of CRLF.
  if (buffer_[end] == '\r' && end + 1 == buffer_.size() && !finished_) {
    searched_ = end;
    return std::nullopt;
  }
  const bool both = buffer_[end] == '\r' && end + 1 < buffer_.size() && buffer_[end + 1] == '\n';
  const std::string_view line = all.substr(position_, end - position_);
  position_ = searched_ = end + (both ? 2 : 1);
  return line;
}

std::optional<std::string> SseDecoder::next() {
  while (std::optional<std::string_view> line = next_line()) {
    if (std::exchange(first_line_, false) && line->substr(0, 3) == "\xEF\xBB\xBF") {
      line->remove_prefix(3);
    }
    if (line->empty()) {
      if (std::exchange(has_data_, false)) {
        return std::exchange(data_, std::string());
      }
      continue;
    }
    const std::size_t colon = line->find(':');
    if (line->substr(0, colon) != "data") {
      continue;
    }
    std::string_view value;
    if (colon != std::string_view::npos) {
      value = line->substr(colon + 1);
      if (!value.empty() && value.front() == ' ') {
        value.remove_prefix(1);
      }
    }
    if (std::exchange(has_data_, true)) {
      data_ += '\n';
    }
    data_ += value;
  }
  if (finished_ && std::exchange(has_data_, false)) {
    return std::exchange(data_, std::string());
  }
  return std::nullopt;
}

}  // namespace invlog::bedrock
