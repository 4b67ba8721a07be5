// One request and its response on a client's connection: what the proxy logic is written against,
// so that it is written once. Http1Session and Http2Session implement it.
//
// Thread: the I/O thread. Ownership: a session makes an Exchange for each request, hands it to its
// ExchangeHandler, and keeps it alive until the handler's coroutine has ended. Errors: a client
// that went away is an ordinary outcome and shows in what the functions return; they throw nothing
// else.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "agent/bedrock/invocation.h"
#include "agent/capture/asio_types.h"
#include "agent/capture/caller_lookup.h"
#include "agent/capture/http_message.h"

namespace invlog::capture {

enum class BodyRead {
  complete,
  too_large,    // over the limit; the rest was not read, and the connection or stream closes soon
                // after the answer
  malformed,    // bad transfer coding; as above
  client_gone,  // nobody is there to be answered
};

enum class PieceRead { more, last, client_gone };

struct AcceptedConnection;
struct Interception;
// What goes on with a connection that its session does not serve any more.
using Turn = std::function<Task<void>(AcceptedConnection)>;

// Who lets a body grow.
class BodyRoom {
 public:
  // So much of a body seldom has to wait.
  static constexpr std::size_t kSmall = 64 * 1024;

  virtual ~BodyRoom() = default;
  // Whether the body may have `bytes` in all, without waiting for that.
  virtual bool grow_at_once(std::size_t bytes) = 0;
  // Where it may not: waits until it may, or its client has left.
  virtual Task<void> grow_to(std::size_t bytes) = 0;
};

class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual RequestHead& request() = 0;
  // The process that opened the connection.
  virtual const bedrock::Caller& caller() = 0;
  // Where the connection comes from.
  virtual const Peer& peer() = 0;
  // Where the call goes as it is, in proxy mode; null in endpoint mode.
  virtual Interception* interception() = 0;

  // Reads the whole request body into `body`, at most `limit` bytes; asks for it first if the
  // client expects that (100-continue). Call exactly once, before answering.
  // `room`, if any, is asked for what has arrived before more is taken, whatever was announced.
  virtual Task<BodyRead> read_body(std::string& body, std::size_t limit,
                                   BodyRoom* room = nullptr) = 0;

  // Instead of read_body(), before a refusal: the body stays unread, and with one the connection
  // (or stream) closes after the answer.
  virtual void leave_body() = 0;

  // Instead of read_body(), where a request can be answered while it is read: appends the bytes
  // that have come since the last call to `piece`; waits for some, or for the end.
  virtual bool streams_both_ways() const { return false; }
  virtual Task<PieceRead> read_some_body(std::string& piece);

  // Instead of all else: answers a CONNECT with "200", and has `turn` go on with the connection
  // when the handler has ended. False: the client is gone, or the protocol does not let it.
  virtual Task<bool> turn_over(Turn turn);

  // Whether a response may be given as the upstream sent it: ResponseHead::raw, and its body with
  // its transfer coding.
  virtual bool takes_raw() const { return false; }

  // Calls `gone` at most once, when the client is found to have gone away while the exchange is
  // open; set it before read_body(). It must not start I/O on this exchange. Reset with {}.
  virtual void when_client_gone(std::function<void()> gone) = 0;

  // Sends head and first body bytes in one write; `end` if these are the last. Returns when the
  // bytes are on their way as far as the client's flow control lets them (that is the
  // backpressure); false if the client is gone.
  virtual Task<bool> start_response(const ResponseHead& head, std::string_view body, bool end) = 0;
  // More body bytes, and with `end` the end and the trailers.
  virtual Task<bool> continue_response(std::string_view body, bool end,
                                       const Headers& trailers) = 0;
  // After one of these two was false: why the response cannot be given to a client that is there;
  // "" the client is gone.
  virtual std::string send_problem() const { return {}; }
  // Whether a client that has left had read what was written to it: Linux ends a connection in
  // order then, and resets it otherwise. False if that cannot be told.
  virtual bool client_read_all() const { return false; }
  // Ends the response so that the client sees that it was cut: the connection closes without the
  // last chunk, or the stream is reset.
  virtual void abort() = 0;
};

inline Task<PieceRead> Exchange::read_some_body(std::string&) {
  co_return PieceRead::client_gone;
}
inline Task<bool> Exchange::turn_over(Turn) {
  co_return false;
}

// A whole response; to a HEAD without its body. False if the client is gone. Head and body must
// outlive it.
inline Task<bool> give_response(Exchange& exchange, const ResponseHead& head,
                                std::string_view body) {
  if (exchange.request().method != "HEAD")
    co_return co_await exchange.start_response(head, body, true);
  ResponseHead bare = head;
  bare.body = ResponseHead::Body::none;
  co_return co_await exchange.start_response(bare, {}, true);
}

using ExchangeHandler = std::function<Task<void>(Exchange&)>;

}  // namespace invlog::capture
