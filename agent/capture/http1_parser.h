// Parses the heads and the chunked bodies of HTTP/1.1 messages from bytes that arrive in any
// pieces. No I/O.
//
// Why not Beast's async_read: the session has to notice the client's end while it waits for the
// upstream, keep pipelined bytes, and read bodies of a known length straight into a string; so it
// owns the reads, and gives Beast's parser (http::basic_parser) the bytes. Bodies with
// Content-Length or up to the connection's end never come here.
//
// Thread: any one. Errors: feed() says that bytes are malformed; it never throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/capture/http_message.h"

namespace invlog::capture {

class Http1Parser {
 public:
  enum class Kind { request, response };
  enum class Framing { none, length, chunked, until_close };
  static constexpr std::size_t kMaxHeadBytes = 64 * 1024;

  explicit Http1Parser(Kind kind);
  ~Http1Parser();

  // Forgets the last message. `no_body`: the response answers a HEAD.
  void begin(bool no_body = false);

  // Parses up to the end of the head; consumes what it could. False: malformed, see error(). Call
  // again with the rest and more bytes until head_done().
  bool feed_head(std::string_view bytes, std::size_t& consumed);
  // After a head with chunked framing: appends decoded bytes to `body` until done(). Trailers are
  // then in trailers().
  bool feed_chunked(std::string_view bytes, std::size_t& consumed, std::string& body);

  bool head_done() const { return head_done_; }
  bool done() const { return done_; }
  const std::string& error() const { return error_; }

  // After head_done(). The strings may be moved from.
  std::string method, target, reason;
  int status = 0;
  int minor_version = 1;
  Headers headers, trailers;
  Framing framing = Framing::none;
  std::uint64_t content_length = 0;

 private:
  class Core;
  template <bool is_request>
  class Parser;
  bool step(std::string_view bytes, std::size_t& consumed, bool until_head);
  std::string request_problem() const;  // after the head; "" none

  Kind kind_;
  std::unique_ptr<Core> core_;
  bool head_done_ = false, done_ = false;
  std::size_t head_bytes_ = 0, trailer_bytes_ = 0;
  std::string error_;
  std::string* body_ = nullptr;
};

}  // namespace invlog::capture
