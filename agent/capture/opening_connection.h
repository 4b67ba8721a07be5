// A connection that no session serves, or none yet: while it is not known which protocol it speaks,
// while its TLS begins, or while it is refused. Closes soon on a stop, and if its client is silent.
//
// Thread: the I/O thread. Ownership: `stream`, `services` and `set`, one of theirs, must outlive
// it; `set` knows it while it lives. Errors: none.
#pragma once

#include "agent/capture/capture_session.h"

namespace invlog::capture {

// Removes a session from the set when it ends, however it ends.
class Membership {
 public:
  Membership(SessionSet& set, SessionControl* session) : set_(set), place_(set.add(session)) {}
  ~Membership() { set_.remove(place_); }
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

 private:
  SessionSet& set_;
  std::list<SessionControl*>::iterator place_;
};

class OpeningConnection : public SessionControl {
 public:
  OpeningConnection(ClientStream& stream, SessionServices& services)
      : OpeningConnection(stream, services, services.sessions) {}
  OpeningConnection(ClientStream& stream, SessionServices& services, SessionSet& set);

  std::optional<Time> idle_since(Time now) const override;
  void drain() override;
  void close() override;
  // The client need not say anything for so long.
  void wait_at_most(std::chrono::milliseconds limit) { deadline_.arm(limit); }
  // It has begun to, and must go on.
  void hurry(std::chrono::milliseconds limit);

 private:
  ClientStream& stream_;
  ClientCounts& counts_;
  bool began_ = false;
  Watchdog::Deadline deadline_;
  Time since_ = std::chrono::steady_clock::now();
  Membership membership_;
};

}  // namespace invlog::capture
