// The server's side of an HTTP/2 connection on which every request has the same answer: nghttp2
// between the bytes that come and those that go, without a socket.
//
// The requests that came first are answered, and GOAWAY names the last of these: others may be
// tried again elsewhere, or later. What still comes of their bodies is thrown away, and its window
// given back, so that a client in the middle of sending gets to read the answer.
//
// Thread: any, one at a time. Ownership: `answer` must outlive it. Errors: a broken protocol ends
// it with GOAWAY, as nghttp2 decides; the constructor throws std::bad_alloc.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/capture/http_message.h"

namespace invlog::capture {

class Http2Refusal {
 public:
  explicit Http2Refusal(const LocalResponse& answer);
  ~Http2Refusal();
  Http2Refusal(const Http2Refusal&) = delete;
  Http2Refusal& operator=(const Http2Refusal&) = delete;

  // What is to be sent now that `received` has come.
  std::string answer_to(std::string_view received);
  bool answered() const { return last_answered_ > 0; }
  // Nothing more is to be received or sent.
  bool over() const;

 private:
  struct Callbacks;
  friend struct Callbacks;

  void append_frames(std::string& out);

  const LocalResponse& answer_;
  nghttp2_session* session_ = nullptr;
  std::int32_t last_answered_ = 0;  // stream
  bool said_goodbye_ = false;
  bool broken_ = false;
};

}  // namespace invlog::capture
