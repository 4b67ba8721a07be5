#include "exporters/aws/response_receiver.h"

#include <string>

#include "storage/lower_case.h"

namespace invlog::aws {
namespace {

constexpr std::size_t kMaxHeaderBytes = 256 << 10;

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == std::string_view::npos
             ? std::string_view{}
             : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

bool ResponseReceiver::header_line(std::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > kMaxHeaderBytes) {
    too_large_ = true;
    return false;
  }
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) {
    line.remove_suffix(1);
  }
  HttpHeaders& headers = response_.headers;
  if (line.starts_with("HTTP/")) {
    headers.clear();
    in_head_ = true;
  } else if (line.empty()) {
    in_head_ = false;
  } else if (!in_head_) {
    // A trailer.
  } else if (line.front() == ' ' || line.front() == '\t') {  // the line before goes on
    if (!headers.empty()) {
      headers.back().second.append(" ").append(trimmed(line));
    }
  } else if (const std::size_t colon = line.find(':'); colon != std::string_view::npos) {
    headers.emplace_back(storage::lower_case(trimmed(line.substr(0, colon))),
                         trimmed(line.substr(colon + 1)));
  }
  return true;
}

bool ResponseReceiver::body(std::string_view bytes) {
  if (bytes.size() > max_body_bytes_ - response_.body.size()) {
    too_large_ = true;
    return false;
  }
  response_.body.append(bytes);
  return true;
}

}  // namespace invlog::aws
