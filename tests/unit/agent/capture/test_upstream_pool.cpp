#include "agent/capture/upstream_pool.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/catch.h"
#include "tests/unit/agent/capture/coroutine_loop.h"

namespace invlog::capture {
namespace {

using std::chrono::milliseconds;

// A server that accepts and says nothing.
struct UpstreamPoolScene {
  UpstreamPoolScene() : listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
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
    pool = std::make_unique<UpstreamPool>(loop.executor(), endpoint, nullptr, nullptr,
                                          [this] { return now; });
  }
  ~UpstreamPoolScene() {
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

  std::chrono::nanoseconds now = std::chrono::hours(1);
  CoroutineLoop loop;
  int listener;
  std::vector<int> accepted;
  std::unique_ptr<UpstreamPool> pool;
};

}  // namespace

TEST_CASE("The connection that was used last is reused first, and marked") {
  UpstreamPoolScene scene;
  const auto first = scene.open(), second = scene.open();
  CHECK_FALSE(first->reused);
  CHECK(scene.pool->take_idle() == nullptr);
  scene.pool->give_back(first);
  scene.pool->give_back(second);
  CHECK(scene.pool->take_idle() == second);
  CHECK(second->reused);
  CHECK(scene.pool->take_idle() == first);
  CHECK(scene.pool->take_idle() == nullptr);
}

TEST_CASE("Connections that the server closed, or spoke on unasked, are passed over") {
  UpstreamPoolScene scene;
  const auto good = scene.open(), closed = scene.open(), chatty = scene.open();
  for (const auto& each : {good, closed, chatty})
    scene.pool->give_back(each);
  ::shutdown(scene.accepted[1], SHUT_WR);
  REQUIRE(::send(scene.accepted[2], "x", 1, 0) == 1);
  CHECK(scene.pool->take_idle() == good);
  CHECK(scene.pool->idle() == 0);
}

TEST_CASE("Connections are dropped after 20 s of rest") {
  UpstreamPoolScene scene;
  const auto idle_after = [&](int rest) {
    scene.now = std::chrono::hours(1) + milliseconds(rest);
    scene.pool->drop_idle();
    return scene.pool->idle();
  };
  scene.pool->give_back(scene.open());
  scene.now += milliseconds(5000);
  scene.pool->give_back(scene.open());
  CHECK(idle_after(19999) == 2);
  CHECK(idle_after(20000) == 1);
  CHECK(idle_after(25000) == 0);
  // The server sees the end.
  char byte;
  CHECK(::recv(scene.accepted[0], &byte, 1, 0) == 0);
}

TEST_CASE("A connection that is too old is not reused before a tick has dropped it") {
  UpstreamPoolScene scene;
  scene.pool->give_back(scene.open());
  scene.now += milliseconds(20000);
  CHECK(scene.pool->take_idle() == nullptr);
  CHECK(scene.pool->idle() == 0);
}

TEST_CASE("The time that a pool goes by counts the host's sleep") {
  timespec asleep{}, awake{};
  REQUIRE(::clock_gettime(CLOCK_BOOTTIME, &asleep) == 0);
  const std::chrono::nanoseconds now = time_since_boot();
  REQUIRE(::clock_gettime(CLOCK_BOOTTIME, &awake) == 0);
  CHECK(now >= std::chrono::seconds(asleep.tv_sec) + std::chrono::nanoseconds(asleep.tv_nsec));
  CHECK(now <= std::chrono::seconds(awake.tv_sec) + std::chrono::nanoseconds(awake.tv_nsec));
}

TEST_CASE("The kernel is told to probe a silent server, and when to give it up") {
  UpstreamPoolScene scene;
  const auto connection = scene.open();
  const int descriptor = connection->socket().native_handle();
  const auto option = [&](int level, int name) {
    int value = 0;
    socklen_t length = sizeof value;
    REQUIRE(::getsockopt(descriptor, level, name, &value, &length) == 0);
    return value;
  };
  CHECK(option(SOL_SOCKET, SO_KEEPALIVE) == 1);
  const int first = option(IPPROTO_TCP, TCP_KEEPIDLE),
            interval = option(IPPROTO_TCP, TCP_KEEPINTVL);
  CHECK(first < 350);
  // Time for more than one probe: a single one may be lost.
  CHECK(option(IPPROTO_TCP, TCP_USER_TIMEOUT) >= 1000 * (first + 2 * interval));
}

TEST_CASE("Where the path is lost, the server may have taken the request") {
  UpstreamPoolScene scene;
  const auto connection = scene.open();
  sock_filter drop{BPF_RET | BPF_K, 0, 0, 0};
  const sock_fprog program{1, &drop};
  REQUIRE(::setsockopt(scene.accepted[0], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) ==
          0);
  const int limit = 1;  // ms: the first time that the kernel sends again is the last
  REQUIRE(::setsockopt(connection->socket().native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &limit,
                       sizeof limit) == 0);
  connection->mark_request();
  error_code failure;
  const auto written = scene.loop.start(connection->write("request", {}, failure));
  REQUIRE(scene.loop.run_until([&] { return *written; }));
  CHECK_FALSE(failure);
  char byte;
  const auto read = scene.loop.start(connection->read_some(&byte, 1, failure));
  REQUIRE(scene.loop.run_until([&] { return read->has_value(); }));
  CHECK(failure == asio::error::timed_out);
  CHECK(connection->server_took_some());
}

TEST_CASE("A closed pool keeps nothing") {
  UpstreamPoolScene scene;
  const auto connection = scene.open();
  scene.pool->give_back(scene.open());
  scene.pool->close();
  CHECK(scene.pool->idle() == 0);
  scene.pool->give_back(connection);
  CHECK(scene.pool->idle() == 0);
}

}  // namespace invlog::capture
