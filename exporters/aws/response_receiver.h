// Puts a response together from the lines and pieces that libcurl hands over, within limits.
//
// Threads: one. Errors: a piece that goes over a limit is refused (false), and too_large() says so.
#pragma once

#include <cstddef>
#include <string_view>

#include "exporters/aws/http_client.h"

namespace invlog::aws {

class ResponseReceiver {
 public:
  explicit ResponseReceiver(std::size_t max_body_bytes) : max_body_bytes_(max_body_bytes) {}

  // One line of a head, with its line end: the status line, a header, the empty line at the end.
  // Only the last head's headers are kept: not those of an interim response (100) before it, and
  // not the trailers after it.
  bool header_line(std::string_view line);
  bool body(std::string_view bytes);

  bool too_large() const { return too_large_; }
  // status is the caller's to fill in.
  HttpResponse& response() { return response_; }

 private:
  HttpResponse response_;
  const std::size_t max_body_bytes_;
  std::size_t header_bytes_ = 0;
  bool in_head_ = false;
  bool too_large_ = false;
};

}  // namespace invlog::aws
