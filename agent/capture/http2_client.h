// One request and its response in HTTP/2 on an upstream connection; the request may still be sent
// while the response is read (InvokeModelWithBidirectionalStream).
//
// A connection carries one exchange at a time, as in HTTP/1.1: nghttp2's session stays with the
// connection from one to the next. Flow control is the backpressure: what was received gives its
// window back when it is handed out, and send() returns when the server's windows have taken all.
//
// Thread: the I/O thread; one coroutine may be in send() while another reads. Ownership and errors:
// as upstream_exchange.h says.
#pragma once

#include <nghttp2/nghttp2.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/capture/event.h"
#include "agent/capture/upstream_connection.h"
#include "agent/capture/upstream_exchange.h"

namespace invlog::capture {

class Http2Client : public UpstreamExchange {
 public:
  // `authority`: where the request goes; a Host among the headers is left out.
  Http2Client(UpstreamConnection& connection, const RequestHead& request, std::string authority);
  ~Http2Client() override;

  Task<void> begin(std::string_view body, bool end, error_code& failure) override;
  Task<void> send(std::string_view body, bool end, error_code& failure) override;
  Task<std::string> read_head(bool answers_head_request, ResponseHead& head) override;
  Piece buffered() override;
  Task<Piece> next() override;
  std::uint64_t remaining() const override;
  bool nothing_received() const override { return !received_; }
  // By REFUSED_STREAM, or by a GOAWAY whose last stream is an earlier one (RFC 9113 §8.7), for
  // which nghttp2 gives that code, too.
  bool not_taken() const override { return reset_code_ == NGHTTP2_REFUSED_STREAM; }
  bool reusable() const override;
  const Headers& trailers() const override { return trailers_; }

 private:
  // What stays with the connection.
  struct Session;
  struct Callbacks;
  friend struct Callbacks;

  void submit(bool without_body);
  bool all_sent() const { return outgoing_.empty() && (!outgoing_end_ || end_framed_); }
  // The body is here by its length, but its end has not been seen: the client must not see the one
  // without the other, or it may leave in between.
  bool lacks_only_end() const;
  // Reads once, or waits until another coroutine has.
  Task<void> read_once(error_code& failure);
  // Writes what nghttp2 has to send, unless another coroutine is about it.
  Task<void> flush(error_code& failure);
  void add_header(std::string_view name, std::string_view value);
  void end_headers(bool end_stream);
  std::string problem() const;
  ssize_t fill_frame(std::uint8_t* into, std::size_t room, std::uint32_t* flags);

  UpstreamConnection& connection_;
  const RequestHead& request_;
  const std::string authority_;
  std::shared_ptr<Session> session_;
  std::int32_t stream_ = -1;

  std::string_view outgoing_;
  bool outgoing_end_ = false, deferred_ = false, end_framed_ = false;
  bool reading_ = false;
  Event progress_;  // a read has ended

  int status_ = 0;
  Headers headers_, trailers_;
  std::size_t header_bytes_ = 0;
  std::string received_body_, handed_out_;
  std::uint64_t body_bytes_ = 0;
  std::optional<std::uint64_t> announced_;  // by Content-Length
  bool head_done_ = false, ended_ = false, closed_ = false, received_ = false;
  std::uint32_t reset_code_ = 0;
  error_code failure_;  // of the connection
};

}  // namespace invlog::capture
