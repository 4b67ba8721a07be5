#include "agent/capture/upstream_pool.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/catch.h"
#include "tests/unit/agent/capture/coroutine_loop.h"

namespace invlog::capture {
namespace {

using std::chrono::milliseconds;
const std::chrono::steady_clock::time_point kStart{std::chrono::hours(1)};

// A server that accepts and says nothing.
struct Scene {
  Scene() : listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    ::bind(listener, reinterpret_cast<sockaddr*>(&address), length);
    ::listen(listener, 8);
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
    UpstreamEndpoint endpoint;
    endpoint.tls = false;
    endpoint.host = "127.0.0.1";
    endpoint.port = ntohs(address.sin_port);
    pool = std::make_unique<UpstreamPool>(loop.executor(), endpoint, nullptr);
  }
  ~Scene() {
    for (const int each : accepted)
      ::close(each);
    ::close(listener);
  }
  std::shared_ptr<UpstreamConnection> open() {
    const auto connection = pool->make();
    const auto problem = loop.start(connection->open());
    REQUIRE(loop.run_until([&] { return problem->has_value(); }));
    REQUIRE((**problem).empty());
    accepted.push_back(::accept(listener, nullptr, nullptr));
    return connection;
  }

  CoroutineLoop loop;
  int listener;
  std::vector<int> accepted;
  std::unique_ptr<UpstreamPool> pool;
};

}  // namespace

TEST_CASE("The connection that was used last is reused first, and marked") {
  Scene scene;
  const auto first = scene.open(), second = scene.open();
  CHECK_FALSE(first->reused);
  CHECK(scene.pool->take_idle() == nullptr);
  scene.pool->give_back(first, kStart);
  scene.pool->give_back(second, kStart);
  CHECK(scene.pool->take_idle() == second);
  CHECK(second->reused);
  CHECK(scene.pool->take_idle() == first);
  CHECK(scene.pool->take_idle() == nullptr);
}

TEST_CASE("Connections that the server closed, or spoke on unasked, are passed over") {
  Scene scene;
  const auto good = scene.open(), closed = scene.open(), chatty = scene.open();
  for (const auto& each : {good, closed, chatty})
    scene.pool->give_back(each, kStart);
  ::shutdown(scene.accepted[1], SHUT_WR);
  REQUIRE(::send(scene.accepted[2], "x", 1, 0) == 1);
  CHECK(scene.pool->take_idle() == good);
  CHECK(scene.pool->idle() == 0);
}

TEST_CASE("Connections are dropped after 20 s of rest") {
  Scene scene;
  scene.pool->give_back(scene.open(), kStart);
  scene.pool->give_back(scene.open(), kStart + milliseconds(5000));
  scene.pool->drop_idle(kStart + milliseconds(19999));
  CHECK(scene.pool->idle() == 2);
  scene.pool->drop_idle(kStart + milliseconds(20000));
  CHECK(scene.pool->idle() == 1);
  scene.pool->drop_idle(kStart + milliseconds(25000));
  CHECK(scene.pool->idle() == 0);
  // The server sees the end.
  char byte;
  CHECK(::recv(scene.accepted[0], &byte, 1, 0) == 0);
}

TEST_CASE("A closed pool keeps nothing") {
  Scene scene;
  const auto connection = scene.open();
  scene.pool->give_back(scene.open(), kStart);
  scene.pool->close();
  CHECK(scene.pool->idle() == 0);
  scene.pool->give_back(connection, kStart);
  CHECK(scene.pool->idle() == 0);
}

}  // namespace invlog::capture
