#include "agent/capture/opening_connection.h"

namespace invlog::capture {
namespace {

// A client that has just connected when the stop begins is about to send its request.
constexpr std::chrono::milliseconds kFirstBytesWhenStopping{250};

}  // namespace

OpeningConnection::OpeningConnection(ClientStream& stream, SessionServices& services,
                                     SessionSet& set)
    : stream_(stream),
      counts_(services.counts),
      deadline_(services.watchdog,
                [this] {
                  counts_.slow_cut += began_ && stream_.is_open() ? 1 : 0;
                  close();
                }),
      membership_(set, this) {
  wait_at_most(services.sessions.draining() ? kFirstBytesWhenStopping
                                            : services.options.keep_alive_timeout);
}

std::optional<SessionControl::Time> OpeningConnection::idle_since(Time) const {
  return stream_.is_open() ? std::optional(since_) : std::nullopt;
}

void OpeningConnection::drain() {
  wait_at_most(kFirstBytesWhenStopping);
}

void OpeningConnection::close() {
  stream_.cut();
}

void OpeningConnection::hurry(std::chrono::milliseconds limit) {
  began_ = true;
  wait_at_most(limit);
}

}  // namespace invlog::capture
