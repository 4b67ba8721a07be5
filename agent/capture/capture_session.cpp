#include "agent/capture/capture_session.h"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <utility>

#include "agent/capture/http1_session.h"
#include "agent/capture/http2_session.h"

namespace invlog::capture {
namespace {

// A client that has just connected when the stop begins is about to send its request.
constexpr std::chrono::milliseconds kFirstBytesWhenStopping{250};

// While the protocol is not known: closes soon on a stop, and if the client says nothing.
class Undecided : public SessionControl {
 public:
  Undecided(StreamSocket& socket, SessionServices& services)
      : socket_(socket), counts_(services.counts), deadline_(services.watchdog, [this] {
          counts_.slow_cut += began_ && socket_.is_open() ? 1 : 0;
          close();
        }) {}
  std::optional<Time> idle_since(Time) const override {
    return socket_.is_open() ? std::optional(since_) : std::nullopt;
  }
  void drain() override { wait_at_most(kFirstBytesWhenStopping); }
  void wait_at_most(std::chrono::milliseconds limit) { deadline_.arm(limit); }
  // The client has begun to say which.
  void hurry(std::chrono::milliseconds limit) {
    began_ = true;
    wait_at_most(limit);
  }
  void close() override {
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  StreamSocket& socket_;
  ClientCounts& counts_;
  bool began_ = false;
  Watchdog::Deadline deadline_;
  Time since_ = std::chrono::steady_clock::now();
};

// Removes the session from the set when it ends, however it ends.
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

bool may_be_http2(const std::string& bytes) {
  const std::size_t length = std::min(bytes.size(), Http2Session::kPreface.size());
  return bytes.compare(0, length, Http2Session::kPreface.substr(0, length)) == 0;
}

// False if the connection closed before it said which.
Task<bool> read_first_bytes(StreamSocket& socket, std::string& bytes, SessionServices& services) {
  Undecided undecided(socket, services);
  const Membership membership(services.sessions, &undecided);
  undecided.wait_at_most(services.sessions.draining() ? kFirstBytesWhenStopping
                                                      : services.options.keep_alive_timeout);
  std::size_t count = 0;
  bool timed = false;
  bytes.resize(8 * 1024);
  for (;;) {
    error_code failure;
    count +=
        co_await socket.async_read_some(asio::buffer(bytes.data() + count, bytes.size() - count),
                                        asio::redirect_error(use_task, failure));
    if (failure)
      co_return false;
    const std::string start = bytes.substr(0, std::min(count, Http2Session::kPreface.size()));
    if (start.size() == Http2Session::kPreface.size() || !may_be_http2(start))
      break;
    // Once: a client that sends byte by byte gets no more time.
    if (!std::exchange(timed, true))
      undecided.hurry(services.options.header_timeout);
  }
  bytes.resize(count);
  co_return true;
}

template <class Session>
Task<void> run_session(AcceptedConnection connection, SessionServices& services) {
  const auto session =
      std::make_shared<Session>(std::move(connection), services.handler, services.options,
                                services.watchdog, services.counts);
  const Membership membership(services.sessions, session.get());
  if (services.sessions.draining())
    session->drain();
  co_await session->run();
}

}  // namespace

bool SessionSet::close_longest_idle(SessionControl::Time now) {
  SessionControl* longest = nullptr;
  SessionControl::Time since = now;
  for (SessionControl* session : sessions_) {
    const auto idle = session->idle_since(now);
    if (idle && *idle <= since) {
      longest = session;
      since = *idle;
    }
  }
  if (longest != nullptr)
    longest->close();
  return longest != nullptr;
}

Task<void> serve_connection(StreamSocket socket, SessionServices& services) {
  const int descriptor = socket.native_handle();
  std::string bytes;
  // Accepted before the end, it would outlive what serves it.
  if (services.sessions.closed() || !co_await read_first_bytes(socket, bytes, services) ||
      services.sessions.closed())
    co_return;
  const bool http2 = may_be_http2(bytes);
  AcceptedConnection connection{std::move(socket), std::move(bytes), CallerLookup(descriptor)};
  if (http2) {
    co_await run_session<Http2Session>(std::move(connection), services);
  } else {
    co_await run_session<Http1Session>(std::move(connection), services);
  }
}

}  // namespace invlog::capture
