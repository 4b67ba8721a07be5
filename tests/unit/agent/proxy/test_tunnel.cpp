#include "agent/proxy/tunnel.h"

#include <netinet/tcp.h>

#include "tests/catch.h"
#include "tests/unit/agent/capture/coroutine_loop.h"
#include "tests/unit/agent/capture/loopback_pair.h"

namespace invlog::proxy {
namespace {

namespace asio = capture::asio;
using std::chrono::seconds;

// A client whose connection the tunnel has, and a server that the tunnel leads to.
struct TunnelScene {
  TunnelScene() {
    sockaddr_in address{};
    socklen_t length = sizeof address;
    REQUIRE(::getsockname(client.listener, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    capture::UpstreamEndpoint endpoint;
    endpoint.tls = false;
    endpoint.host = "127.0.0.1";
    endpoint.port = ntohs(address.sin_port);
    route->far = std::make_shared<capture::UpstreamConnection>(
        loop.executor(), std::make_shared<const capture::UpstreamEndpoint>(endpoint), nullptr);
    const auto problem = loop.start(route->far->open());
    REQUIRE(loop.run_until([&] { return problem->has_value(); }));
    REQUIRE((**problem).empty());
    server = ::accept(client.listener, nullptr, nullptr);
    REQUIRE_FALSE(route->there.open());
    REQUIRE_FALSE(route->back.open());
    services.options.keep_alive_timeout = seconds(1);
    capture::StreamSocket near(loop.executor());
    near.assign(asio::generic::stream_protocol(AF_INET, IPPROTO_TCP), ::dup(client.server));
    tunnel =
        std::make_shared<Tunnel>(capture::ClientStream(std::move(near)), route, services, counts);
    ended = loop.start(tunnel->run(""));
  }
  ~TunnelScene() {
    tunnel->close();
    loop.run_until([&] { return *ended; });
    ::close(server);
  }
  bool ended_after(seconds time) {
    watchdog.tick(start + time);
    loop.run();
    return *ended;
  }

  const capture::Watchdog::Time start{std::chrono::hours(1)};
  capture::CoroutineLoop loop;
  capture::Watchdog watchdog{start};
  capture::ClientCounts client_counts;
  capture::SessionServices services{{}, {}, watchdog, {}, client_counts};
  capture::ProxyCounts counts;
  capture::LoopbackPair client;
  int server = -1;
  const std::shared_ptr<TunnelRoute> route = std::make_shared<TunnelRoute>();
  std::shared_ptr<Tunnel> tunnel;
  std::shared_ptr<bool> ended;
};

int option(int descriptor, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  ::getsockopt(descriptor, level, name, &value, &length);
  return value;
}

}  // namespace

TEST_CASE("A tunnel may be silent for an hour, whatever a client without a request may",
          "[proxy]") {
  TunnelScene scene;
  CHECK_FALSE(scene.ended_after(seconds(3600)));
  REQUIRE(::send(scene.client.client, "x", 1, 0) == 1);
  REQUIRE(scene.loop.run_until([&] { return scene.counts.tunnel_bytes == 1; }));
  char byte = 0;
  CHECK(::recv(scene.server, &byte, 1, 0) == 1);
  CHECK_FALSE(scene.ended_after(seconds(7200)));
  CHECK(scene.ended_after(seconds(7202)));
  CHECK(::recv(scene.server, &byte, 1, 0) == 0);
}

TEST_CASE("The kernel probes both ends of a tunnel, which may be slow to take bytes", "[proxy]") {
  const TunnelScene scene;
  for (const int end : {scene.client.server, scene.route->far->socket().native_handle()}) {
    CHECK(option(end, SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(option(end, IPPROTO_TCP, TCP_KEEPIDLE) < 350);
    CHECK(option(end, IPPROTO_TCP, TCP_USER_TIMEOUT) == 0);
  }
}

}  // namespace invlog::proxy
