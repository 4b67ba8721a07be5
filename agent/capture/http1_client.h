// One request and its response in HTTP/1.1 on an upstream connection.
//
// The response's bytes are handed out as they arrive: buffered() decodes what is here, next() reads
// once. Nothing waits for more than one read. Thread: the I/O thread. Errors: results; an error is
// also a response that ends too early.
#pragma once

#include <string>
#include <string_view>

#include "agent/capture/http1_parser.h"
#include "agent/capture/upstream_connection.h"

namespace invlog::capture {

class Http1Client {
 public:
  struct Piece {
    std::string_view bytes;  // valid until the next call
    bool end = false;        // the response is complete
    std::string problem;     // "" or why it ended too early
  };

  explicit Http1Client(UpstreamConnection& connection);

  // Reads up to the end of the final response's head; informational ones are dropped. "" or what
  // went wrong.
  Task<std::string> read_head(bool answers_head_request, ResponseHead& head);
  Piece buffered();
  Task<Piece> next();

  // Bytes of a body of known length that were not handed out yet.
  std::uint64_t remaining() const { return remaining_; }
  bool nothing_received() const { return !received_; }
  // After the end: whether the connection may carry another request.
  bool reusable() const { return reusable_; }
  const Headers& trailers() const { return parser_.trailers; }

 private:
  Piece decode();

  UpstreamConnection& connection_;
  Http1Parser parser_;
  std::string& buffer_;  // the connection's
  std::size_t begin_ = 0, end_ = 0;
  std::string decoded_;
  std::uint64_t remaining_ = 0;
  bool last_read_filled_ = false;
  bool received_ = false, reusable_ = false, ended_ = false;
};

}  // namespace invlog::capture
