// How a connection ends after an answer that did not wait for the request; what is served is in
// tests/integration.
#include "agent/capture/http1_session.h"

#include "agent/capture/capture_session.h"
#include "tests/catch.h"
#include "tests/unit/agent/capture/coroutine_loop.h"
#include "tests/unit/agent/capture/loopback_pair.h"

namespace invlog::capture {
namespace {

// More than the kernel takes of what nobody reads.
constexpr std::size_t kMuch = 32 << 20;

Task<void> refuse_unread(Exchange& exchange) {
  exchange.leave_body();
  const LocalResponse refusal = aws_error(413, "RequestEntityTooLargeException", "too large");
  co_await give_response(exchange, refusal.head, refusal.body);
}

// A client that sends an endless body, and reads nothing meanwhile.
struct RefusedClient {
  explicit RefusedClient(const SessionOptions& options) {
    services.options = options;
    StreamSocket socket(loop.executor());
    socket.assign(asio::generic::stream_protocol(AF_INET, IPPROTO_TCP),
                  std::exchange(pair.server, -1));
    const std::string head = "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n";
    REQUIRE(::send(pair.client, head.data(), head.size(), 0) == static_cast<ssize_t>(head.size()));
    ended = loop.start(serve_connection(std::move(socket), services, services.endpoint));
  }
  ~RefusedClient() {
    services.sessions.close();
    loop.run();
  }

  // Whether it gets to send so much in all before the connection is served no more.
  bool sends(std::size_t bytes) {
    const bool over = loop.run_until([&] {
      const ssize_t count =
          ::send(pair.client, piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      sent += count > 0 ? static_cast<std::size_t>(count) : 0;
      return sent >= bytes || *ended;
    });
    return over && !*ended;
  }
  std::string answer() {
    std::string bytes(4096, '\0');
    const ssize_t count = ::recv(pair.client, bytes.data(), bytes.size(), MSG_DONTWAIT);
    bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return bytes;
  }

  const Watchdog::Time began = std::chrono::steady_clock::now();
  const std::string piece = std::string(64 * 1024, 'x');
  std::size_t sent = 0;
  CoroutineLoop loop;
  Watchdog watchdog{began};
  ClientCounts counts;
  SessionServices services{{refuse_unread}, {}, watchdog, {}, counts};
  LoopbackPair pair;
  std::shared_ptr<bool> ended;
};

}  // namespace

TEST_CASE("After a refusal a client may go on sending for linger_time, and reads the answer") {
  SessionOptions options;
  options.linger_bytes = 2 * kMuch;
  RefusedClient client(options);
  CHECK(client.sends(kMuch));
  CHECK(client.answer().starts_with("HTTP/1.1 413 "));
  client.watchdog.tick(client.began + options.linger_time);
  CHECK(client.sends(kMuch + kMuch / 2));
  client.watchdog.tick(client.began + options.linger_time + client.watchdog.tick_length());
  CHECK(client.loop.run_until([&] { return *client.ended; }));
  CHECK(client.counts.slow_cut == 0);
}

TEST_CASE("After a refusal a client may not send more than linger_bytes") {
  SessionOptions options;
  options.linger_bytes = 1 << 20;
  RefusedClient client(options);
  CHECK_FALSE(client.sends(kMuch));
  CHECK(*client.ended);
}

}  // namespace invlog::capture
