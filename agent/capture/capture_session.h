// One accepted connection: finds out from its first bytes which protocol it speaks (HTTP/2's
// connection preface, RFC 9113 §3.4, or else HTTP/1.1), and runs that protocol's session.
//
// Thread: the I/O thread. Ownership: serve_connection() keeps everything it needs alive; `sessions`
// only knows the session while it runs. Errors: none leave it.
#pragma once

#include <list>
#include <memory>

#include "agent/capture/client_counts.h"
#include "agent/capture/event.h"
#include "agent/capture/exchange.h"
#include "agent/capture/own_sockets.h"
#include "agent/capture/session.h"
#include "agent/capture/watchdog.h"

namespace invlog::capture {

// The sessions under way, so that a stop can reach them.
class SessionSet {
 public:
  std::list<SessionControl*>::iterator add(SessionControl* session) {
    return sessions_.insert(sessions_.end(), session);
  }
  void remove(std::list<SessionControl*>::iterator place) {
    sessions_.erase(place);
    if (sessions_.empty())
      emptied_.set();
  }
  // Makes room for another connection: closes the one that has waited longest for its client to ask
  // for something. False: a call is under way on each.
  bool close_longest_idle(SessionControl::Time now);
  void drain() {
    draining_ = true;
    each(&SessionControl::drain);
  }
  // A stop has begun: a session that comes now ends with its first request.
  bool draining() const { return draining_; }
  // For good: what comes after it is not served.
  void close() {
    draining_ = closed_ = true;
    each(&SessionControl::close);
  }
  bool closed() const { return closed_; }
  std::size_t size() const { return sessions_.size(); }
  // HTTP/2 streams under way in all of them.
  std::size_t streams() const {
    std::size_t streams = 0;
    for (const SessionControl* session : sessions_)
      streams += session->streams();
    return streams;
  }
  Event& emptied() { return emptied_; }

 private:
  void each(void (SessionControl::*call)()) {
    // A session may remove itself when it is told.
    const std::list<SessionControl*> now = sessions_;
    for (SessionControl* session : now)
      (session->*call)();
  }
  std::list<SessionControl*> sessions_;
  Event emptied_;
  bool draining_ = false, closed_ = false;
};

// What one port of the agent's is for.
struct Entrance {
  ExchangeHandler handler;
  // Takes connections that begin with TLS; empty: nobody does, here.
  Turn tls = nullptr;
};

struct SessionServices {
  Entrance endpoint;
  SessionOptions options;
  Watchdog& watchdog;
  SessionSet sessions;
  ClientCounts& counts;
  // The agent's connections; one of them that leads back to the agent goes to `own_connection`, so
  // that no call by it counts as the agent's own user's. Null: nothing looks for them.
  std::shared_ptr<const OwnSockets> own = nullptr;
  Turn own_connection = nullptr;
  SocketOwners owners = {};
  // Connections beyond max_connections that are being told so; `sessions` does not count them.
  SessionSet refused = {};
};

// Runs until the connection is closed. `services` and `entrance` must outlive it.
Task<void> serve_connection(StreamSocket socket, SessionServices& services,
                            const Entrance& entrance);
// The same for a connection of which the protocol is known.
Task<void> serve_session(AcceptedConnection connection, SessionServices& services,
                         const ExchangeHandler& handler, bool http2);

}  // namespace invlog::capture
