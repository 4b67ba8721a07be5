// A client's connection that speaks HTTP/1.1 (or 1.0): one exchange after another, in the order of
// the requests.
//
// While an exchange is under way a read is outstanding, to notice that the client went away; not
// once the next request has begun to arrive (pipelining). What arrives early waits in the buffer,
// which is bounded, so that TCP holds back the rest.
//
// Thread: the I/O thread. Ownership: run() keeps the session alive until the connection is closed.
// Errors: malformed requests are answered with 400 in AWS's shape; nothing is thrown.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/capture/client_counts.h"
#include "agent/capture/event.h"
#include "agent/capture/http1_parser.h"
#include "agent/capture/session.h"

namespace invlog::capture {

class Http1Session : public SessionControl, public std::enable_shared_from_this<Http1Session> {
 public:
  Http1Session(AcceptedConnection connection, const ExchangeHandler& handler,
               const SessionOptions& options, Watchdog& watchdog, ClientCounts& counts);
  // Serves the connection until it closes, or until an exchange turns it over to something else.
  Task<void> run();
  // After run(): what goes on with the connection, if it is not at its end.
  struct TurnedOver {
    Turn turn;
    AcceptedConnection connection;
  };
  std::optional<TurnedOver> turned_over();
  void drain() override;
  void close() override;
  std::optional<Time> idle_since(Time now) const override;

 private:
  class Exchange1;

  enum class HeadRead { complete, closed, malformed };
  Task<HeadRead> read_head();
  Task<bool> read_more();  // waits for more bytes in the buffer; false: the client is gone
  void drop_empty_lines();
  void start_read();  // unless one is outstanding or the buffer is full
  void on_read(error_code failure, std::size_t bytes);
  void stop_waiting();
  // Arms the deadline for a client in the middle of something; it is cut, and counted.
  void hurry(std::chrono::milliseconds limit);
  // For one that is not.
  void wait_at_most(std::chrono::milliseconds limit);
  void on_deadline();
  Task<bool> write(const void* buffers, std::size_t count);
  Task<void> linger();
  bool finished_with_connection() const;
  std::string_view buffered() const;
  void consume(std::size_t bytes);

  ClientStream stream_;
  CallerLookup caller_;
  std::shared_ptr<Interception> interception_;
  const ExchangeHandler& handler_;
  const SessionOptions& options_;
  ClientCounts& counts_;
  bool hurried_ = false;  // what the deadline is for
  Watchdog::Deadline deadline_;
  Http1Parser parser_;
  std::string buffer_;  // [begin_, end_) is unread
  std::size_t begin_ = 0, end_ = 0;
  Event readable_;
  std::function<void()> client_gone_;
  Turn turn_;  // set by an exchange
  bool reading_ = false;
  bool at_end_ = false;          // the client closed, or the connection failed
  bool ended_in_order_ = false;  // it closed, with nothing unread
  bool draining_ = false;
  // A response is under way of which only the connection's end says that it is complete.
  bool open_ended_ = false;
  bool in_exchange_ = false;
  bool reading_body_ = false;
  Time waiting_since_ = std::chrono::steady_clock::now();  // for the client; in_exchange_: it began
};

}  // namespace invlog::capture
