// One request and its response on an upstream connection, whatever protocol version carries it.
//
// The response's bytes are handed out as they arrive: buffered() decodes what is here, next() reads
// once. Nothing waits for more than one read. Http1Client and Http2Client implement it. Thread: the
// I/O thread. Ownership: the connection must outlive it. Errors: results; an error is also a
// response that ends too early.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/capture/asio_types.h"
#include "agent/capture/http_message.h"

namespace invlog::capture {

class UpstreamExchange {
 public:
  struct Piece {
    std::string_view bytes;  // valid until the next call
    // The same as received, with their transfer coding; empty where nothing of it is known.
    std::string_view raw;
    bool end = false;     // the response is complete
    std::string problem;  // "" or why it ended too early
  };

  virtual ~UpstreamExchange() = default;

  // Begins the request: its head and the first of its body; `end` if that is all of it.
  virtual Task<void> begin(std::string_view body, bool end, error_code& failure) = 0;
  // More of its body.
  virtual Task<void> send(std::string_view body, bool end, error_code& failure) = 0;
  // While begin() or send() waits: takes what has arrived, without waiting, and says whether the
  // final response has begun. What is no part of a response (TLS's own messages) does not count,
  // nor does an informational one. False where that is found out otherwise.
  virtual bool answered() { return false; }
  // Reads up to the end of the final response's head; informational ones are dropped. "" or what
  // went wrong.
  virtual Task<std::string> read_head(bool answers_head_request, ResponseHead& head) = 0;
  virtual Piece buffered() = 0;
  virtual Task<Piece> next() = 0;

  // Bytes of a body of known length that were not handed out yet.
  virtual std::uint64_t remaining() const = 0;
  virtual bool nothing_received() const = 0;
  // Whether the server has said that it did nothing with the request, whatever of it arrived.
  virtual bool not_taken() const { return false; }
  // After the end: whether the connection may carry another request.
  virtual bool reusable() const = 0;
  virtual const Headers& trailers() const = 0;
};

}  // namespace invlog::capture
