// Any bytes on a client's connection: the production session (first bytes, HTTP/1.1, HTTP/2) over a
// socket pair, with a handler that reads the body and answers with it. It must neither crash nor
// fail to end once the client has closed.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <cstdint>
#include <cstdlib>

#include "agent/capture/capture_session.h"

namespace {

using namespace invlog::capture;

Task<void> answer(Exchange& exchange) {
  std::string body;
  const BodyRead read = co_await exchange.read_body(body, 4096);
  if (read == BodyRead::client_gone)
    co_return;
  ResponseHead head;
  head.status = read == BodyRead::complete ? 200 : 400;
  head.reason = "x";
  remove_hop_by_hop(exchange.request().headers);
  head.headers = exchange.request().headers;
  std::erase_if(head.headers, [](const auto& header) {
    return equal_ignoring_case(header.first, "content-length");
  });
  const bool no_body = exchange.request().method == "HEAD";
  if (no_body)
    head.body = ResponseHead::Body::none;
  if (co_await exchange.start_response(head, {}, no_body) && !no_body) {
    co_await exchange.continue_response(body, true, {{"X-Trailer", "1"}});
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 64 * 1024)
    return 0;  // what a socket pair takes without a reader
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return 0;
  if (size > 0 && ::send(ends[1], data, size, MSG_NOSIGNAL) != static_cast<ssize_t>(size)) {
    ::close(ends[0]);
    ::close(ends[1]);
    return 0;
  }
  ::shutdown(ends[1], SHUT_WR);

  Watchdog watchdog(std::chrono::steady_clock::now());
  ClientCounts counts;
  SessionServices services{{answer}, SessionOptions{}, watchdog, {}, counts};
  {
    asio::io_context context(1);
    StreamSocket socket(context.get_executor(), asio::generic::stream_protocol(AF_UNIX, 0),
                        ends[0]);
    asio::co_spawn(context, serve_connection(std::move(socket), services, services.endpoint),
                   asio::detached);
    context.run_for(std::chrono::seconds(5));
    if (services.sessions.size() != 0 || watchdog.size() != 0)
      std::abort();  // it did not end
  }
  ::close(ends[1]);
  return 0;
}
