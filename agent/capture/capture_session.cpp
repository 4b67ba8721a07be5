#include "agent/capture/capture_session.h"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <utility>

#include "agent/capture/http1_session.h"
#include "agent/capture/http2_session.h"
#include "agent/capture/opening_connection.h"
#include "agent/capture/tls_start.h"

namespace invlog::capture {
namespace {

// False if the connection closed before it said which.
Task<bool> read_first_bytes(ClientStream& stream, std::string& bytes, SessionServices& services) {
  OpeningConnection opening(stream, services);
  std::size_t count = 0;
  bool timed = false;
  bytes.resize(8 * 1024);
  for (;;) {
    error_code failure;
    count +=
        co_await stream.async_read_some(asio::buffer(bytes.data() + count, bytes.size() - count),
                                        asio::redirect_error(use_task, failure));
    if (failure)
      co_return false;
    const std::string start = bytes.substr(0, std::min(count, Http2Session::kPreface.size()));
    if (start.size() == Http2Session::kPreface.size() || !Http2Session::may_begin_with(start))
      break;
    // Once: a client that sends byte by byte gets no more time.
    if (!std::exchange(timed, true))
      opening.hurry(services.options.header_timeout);
  }
  bytes.resize(count);
  co_return true;
}

template <class Session>
std::shared_ptr<Session> make_session(AcceptedConnection connection, SessionServices& services,
                                      const ExchangeHandler& handler) {
  return std::make_shared<Session>(std::move(connection), handler, services.options,
                                   services.watchdog, services.counts);
}

template <class Session>
Task<void> run_session(Session& session, SessionServices& services) {
  const Membership membership(services.sessions, &session);
  if (services.sessions.draining())
    session.drain();
  co_await session.run();
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

Task<void> serve_session(AcceptedConnection connection, SessionServices& services,
                         const ExchangeHandler& handler, bool http2) {
  if (http2) {
    const auto session = make_session<Http2Session>(std::move(connection), services, handler);
    co_await run_session(*session, services);
    co_return;
  }
  const auto session = make_session<Http1Session>(std::move(connection), services, handler);
  co_await run_session(*session, services);
  if (auto turned = session->turned_over())
    co_await turned->turn(std::move(turned->connection));
}

Task<void> serve_connection(StreamSocket socket, SessionServices& services,
                            const Entrance& entrance) {
  const int descriptor = socket.native_handle();
  AcceptedConnection connection{ClientStream(std::move(socket)), "",
                                CallerLookup(descriptor, services.owners)};
  if (!connection.caller.answered())
    co_return;
  std::string& bytes = connection.first_bytes;
  // Accepted before the end, it would outlive what serves it.
  if (services.sessions.closed() ||
      !co_await read_first_bytes(connection.stream, bytes, services) || services.sessions.closed())
    co_return;
  if (services.own && services.own_connection && services.own->made(descriptor)) {
    co_await services.own_connection(std::move(connection));
    co_return;
  }
  if (entrance.tls && may_be_tls(bytes)) {
    co_await entrance.tls(std::move(connection));
    co_return;
  }
  const bool http2 = Http2Session::may_begin_with(bytes);
  co_await serve_session(std::move(connection), services, entrance.handler, http2);
}

}  // namespace invlog::capture
