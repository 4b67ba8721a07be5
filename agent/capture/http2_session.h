// A client's connection that speaks HTTP/2 with prior knowledge: one exchange per stream, many at a
// time.
//
// nghttp2 keeps the protocol's state; here are the reads, the writes, and the streams. Flow control
// is the backpressure both ways: a request's window is only given back as its body is taken, and a
// response's bytes are only taken from the exchange when the client's windows have room for them. A
// stream that waits to be read holds its own window only, never the connection's: it must not hold
// up those that are read. As that is what a client can have the agent hold unasked, windows are
// small; only a few streams at a time have a wide one, while their bodies are read.
//
// A stream that was answered before its request was read to its end stays for a moment, and what
// comes on it is thrown away. Only then is the client told that it need not send the rest
// (RFC 9113 §8.1): Node and curl drop an answer with a reset right behind it.
//
// Streams that a client resets free their place at once, their calls end a little later: a client
// that keeps opening and resetting (CVE-2023-44487) is told to go when too many have not ended, and
// so is one that keeps sending frames that ask for nothing.
//
// Thread: the I/O thread. Ownership: run() and each exchange's coroutine keep the session alive.
// Errors: a protocol error ends the connection with GOAWAY, as nghttp2 decides; nothing is thrown.
#pragma once

#include <nghttp2/nghttp2.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/capture/client_counts.h"
#include "agent/capture/event.h"
#include "agent/capture/session.h"

namespace invlog::capture {

class Http2Session : public SessionControl, public std::enable_shared_from_this<Http2Session> {
 public:
  // PING, SETTINGS, RST_STREAM, PRIORITY and empty DATA frames: so many at once, and a second.
  static constexpr int kMostIdleFrames = 10'000;
  static constexpr int kIdleFramesPerSecond = 1'000;
  static constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  // As far as a connection's first bytes say.
  static bool may_begin_with(std::string_view first_bytes) {
    return kPreface.starts_with(first_bytes.substr(0, kPreface.size()));
  }

  Http2Session(AcceptedConnection connection, const ExchangeHandler& handler,
               const SessionOptions& options, Watchdog& watchdog, ClientCounts& counts);
  ~Http2Session() override;
  // Serves the connection until it closes and its last exchange has ended.
  Task<void> run();
  void drain() override;
  void close() override;
  std::optional<Time> idle_since(Time now) const override;
  std::size_t streams() const override { return serving_; }

 private:
  class Stream;
  struct Callbacks;
  friend struct Callbacks;

  bool receive(const char* bytes, std::size_t count);  // false: the connection is over
  Task<void> write_loop();
  static Task<void> serve(std::shared_ptr<Http2Session> session, std::shared_ptr<Stream> stream);
  void wake_writer() { writable_.set(); }
  // Arms the deadline that holds while no exchange is under way.
  void watch_idle();
  void on_deadline();
  Stream* find(std::int32_t id);
  void reading_body(int change);
  // Counts frames that cost the client nothing; true: too many.
  bool floods(const nghttp2_frame& frame);

  ClientStream stream_;
  CallerLookup caller_;
  std::shared_ptr<Interception> interception_;
  const ExchangeHandler& handler_;
  const SessionOptions& options_;
  Watchdog& watchdog_;
  ClientCounts& counts_;
  Watchdog::Deadline deadline_;
  nghttp2_session* session_ = nullptr;
  std::string first_bytes_;
  std::map<std::int32_t, std::shared_ptr<Stream>> streams_;  // open ones
  std::vector<std::shared_ptr<Stream>> begun_;               // to be served after this receive()
  std::size_t serving_ = 0;        // exchanges whose handler has not ended
  std::int32_t begun_header_ = 0;  // the stream whose header block has not come to its end
  std::size_t header_bytes_ = 0;   // of the streams that are open
  int wide_windows_ = 0;           // streams that have one
  int reading_bodies_ = 0;         // those of them that wait for their request's body
  Time waiting_since_ = std::chrono::steady_clock::now();  // that one of these two changed
  int allowance_ = kMostIdleFrames;                        // of frames that ask for nothing
  Time allowed_at_;                                        // when it was last added to
  Event ended_;                                            // an exchange or the write loop has
  Event writable_;
  bool writing_ = false;  // the write loop runs
  bool sending_ = false;  // a write of it is under way
  bool closed_ = false;
  bool draining_ = false;
};

}  // namespace invlog::capture
