#include "tests/bench/http_reader.h"

#include <algorithm>
#include <charconv>

namespace invlog::bench {
namespace {

constexpr std::size_t kLargestHead = 64 * 1024;

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 'a' - 'A') : letter;
}

bool equals_in_lower_case(std::string_view text, std::string_view lower_case) {
  return text.size() == lower_case.size() &&
         std::equal(text.begin(), text.end(), lower_case.begin(),
                    [](char left, char right) { return lower(left) == right; });
}

}  // namespace

std::size_t HttpReader::feed(std::string_view bytes, const BodyPart& body_part) {
  std::size_t taken = 0;
  while (taken < bytes.size() && !complete() && !failed()) {
    const auto rest = bytes.substr(taken);
    switch (state_) {
      case State::head:
        taken += feed_head(rest);
        break;
      case State::sized_body:
      case State::chunk_data:
        taken += feed_data(rest, body_part);
        break;
      default:
        taken += feed_line(rest);
        break;
    }
  }
  return taken;
}

void HttpReader::next_message() {
  state_ = State::head;
  head_.clear();
  line_.clear();
  remaining_ = 0;
  body_bytes_ = 0;
}

std::string_view HttpReader::target() const {
  const auto first = head_.find(' ');
  const auto second = head_.find(' ', first + 1);
  if (first == std::string::npos || second == std::string::npos) {
    return {};
  }
  return std::string_view(head_).substr(first + 1, second - first - 1);
}

int HttpReader::status() const {
  int status = 0;
  if (head_.size() > 12 && head_.compare(0, 9, "HTTP/1.1 ") == 0) {
    std::from_chars(head_.data() + 9, head_.data() + 12, status);
  }
  return status;
}

std::string_view HttpReader::header(std::string_view name) const {
  const std::string_view head = head_;
  for (auto at = head.find("\r\n"); at != head.npos && at + 2 < head.size();) {
    const auto end = head.find("\r\n", at + 2);
    const auto field = head.substr(at + 2, end - at - 2);
    const auto colon = field.find(':');
    if (colon != field.npos && equals_in_lower_case(field.substr(0, colon), name)) {
      const auto value = field.find_first_not_of(" \t", colon + 1);
      return value == field.npos ? std::string_view() : field.substr(value);
    }
    at = end;
  }
  return {};
}

std::size_t HttpReader::feed_head(std::string_view bytes) {
  const auto before = head_.size();
  // The end mark may straddle what came before.
  const auto search_from = before < 3 ? 0 : before - 3;
  head_.append(bytes.substr(0, kLargestHead));
  const auto end = head_.find("\r\n\r\n", search_from);
  if (end == std::string::npos) {
    if (head_.size() > kLargestHead) {
      state_ = State::failed;
    }
    return head_.size() - before;
  }
  head_.resize(end + 4);
  head_arrived();
  return head_.size() - before;
}

void HttpReader::head_arrived() {
  const auto status_code = kind_ == Kind::response ? status() : 0;
  if (kind_ == Kind::response && status_code == 0) {
    state_ = State::failed;
    return;
  }
  if (status_code >= 100 && status_code < 200) {
    next_message();
    return;
  }
  if (equals_in_lower_case(header("transfer-encoding"), "chunked")) {
    state_ = State::chunk_size;
    return;
  }
  const auto length = header("content-length");
  if (length.empty()) {
    // A response that ends with the connection is none that the bench's servers send.
    const bool bodiless = kind_ == Kind::request || status_code == 204 || status_code == 304;
    state_ = bodiless ? State::complete : State::failed;
    return;
  }
  const auto parsed = std::from_chars(length.data(), length.data() + length.size(), remaining_);
  if (parsed.ec != std::errc() || parsed.ptr != length.data() + length.size()) {
    state_ = State::failed;
  } else {
    state_ = remaining_ == 0 ? State::complete : State::sized_body;
  }
}

std::size_t HttpReader::feed_data(std::string_view bytes, const BodyPart& body_part) {
  const auto part = bytes.substr(0, remaining_);
  remaining_ -= part.size();
  body_bytes_ += part.size();
  if (body_part) {
    body_part(part);
  }
  if (remaining_ == 0) {
    state_ = state_ == State::sized_body ? State::complete : State::chunk_end;
  }
  return part.size();
}

std::size_t HttpReader::feed_line(std::string_view bytes) {
  const auto newline = bytes.find('\n');
  line_.append(bytes.substr(0, newline));
  if (newline == bytes.npos) {
    if (line_.size() > kLargestHead) {
      state_ = State::failed;
    }
    return bytes.size();
  }
  if (!line_.empty() && line_.back() == '\r') {
    line_.pop_back();
  }
  line_arrived();
  line_.clear();
  return newline + 1;
}

void HttpReader::line_arrived() {
  if (state_ == State::chunk_end) {
    state_ = line_.empty() ? State::chunk_size : State::failed;
  } else if (state_ == State::trailer) {
    state_ = line_.empty() ? State::complete : State::trailer;
  } else {
    const auto parsed = std::from_chars(line_.data(), line_.data() + line_.size(), remaining_, 16);
    if (parsed.ec != std::errc() || parsed.ptr == line_.data()) {
      state_ = State::failed;
    } else {
      state_ = remaining_ == 0 ? State::trailer : State::chunk_data;
    }
  }
}

}  // namespace invlog::bench
