// Binding and the Unix socket's file; what is served is in tests/integration.
#include "agent/capture/listener.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "agent/capture/refused_connection.h"
#include "tests/catch.h"
#include "tests/temporary_directory.h"
#include "tests/unit/agent/capture/coroutine_loop.h"
#include "tests/unit/agent/capture/descriptor_shortage.h"

namespace invlog::capture {
namespace {

struct ListenerScene {
  CoroutineLoop loop;
  Watchdog watchdog{std::chrono::steady_clock::now()};
  ClientCounts counts;
  int requests = 0;
  SessionServices services{{[this](Exchange&) -> Task<void> {
                             ++requests;
                             co_return;
                           }},
                           {},
                           watchdog,
                           {},
                           counts};

  std::string tcp_refusal(const std::string& host, std::uint16_t port) {
    try {
      TcpListener listener(loop.executor(), host, port, services, services.endpoint);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "";
  }
  std::string unix_refusal(const std::string& path) {
    try {
      UnixListener listener(loop.executor(), path, services, services.endpoint);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "";
  }
};

int connect_to(const TcpListener& listener) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(listener.port());
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  return client;
}

bool is_socket(const std::string& path) {
  struct stat information {};
  return ::lstat(path.c_str(), &information) == 0 && S_ISSOCK(information.st_mode);
}

}  // namespace

TEST_CASE("An address that is taken, or is none, is refused in one line") {
  ListenerScene scene;
  const TcpListener first(scene.loop.executor(), "127.0.0.1", 0, scene.services,
                          scene.services.endpoint);
  CHECK(first.port() != 0);
  const std::string address = "127.0.0.1:" + std::to_string(first.port());
  CHECK(scene.tcp_refusal("127.0.0.1", first.port()) ==
        "listen on " + address + ": Address already in use");
  CHECK(scene.tcp_refusal("bedrock.test", 1).find("must be an IP address or localhost") !=
        std::string::npos);
  CHECK(scene.tcp_refusal("localhost", 0).empty());
  scene.loop.run();
}

TEST_CASE("Out of descriptors, the connection that is idle for longest makes room") {
  if (!DescriptorShortage::kPossible)
    return;
  ListenerScene scene;
  TcpListener listener(scene.loop.executor(), "127.0.0.1", 0, scene.services,
                       scene.services.endpoint);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(listener.port());
  const int idle = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int asking = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto connect = [&](int client) {
    return ::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  };
  REQUIRE(connect(idle));
  REQUIRE(scene.loop.run_until([&] { return scene.services.sessions.size() == 1; }));
  {
    const DescriptorShortage shortage;
    REQUIRE(connect(asking));
    constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    REQUIRE(::send(asking, kRequest.data(), kRequest.size(), 0) ==
            static_cast<ssize_t>(kRequest.size()));
    CHECK(scene.loop.run_until([&] { return scene.requests == 1; }));
  }
  char byte;
  CHECK(::recv(idle, &byte, 1, MSG_DONTWAIT) == 0);
  listener.stop();
  scene.services.sessions.close();
  CHECK(scene.loop.run_until([&] { return scene.services.sessions.size() == 0; }));
  for (const int each : {idle, asking})
    ::close(each);
}

TEST_CASE("Who says nothing beyond max_connections is waited for during linger_time") {
  ListenerScene scene;
  scene.services.options.max_connections = 0;
  const SessionSet& refused = scene.services.refused;
  TcpListener listener(scene.loop.executor(), "127.0.0.1", 0, scene.services,
                       scene.services.endpoint);
  const Watchdog::Time began = scene.watchdog.now();
  const int client = connect_to(listener);
  REQUIRE(scene.loop.run_until([&] { return refused.size() == 1; }));
  CHECK(scene.services.sessions.size() == 0);
  const auto linger_time = scene.services.options.linger_time;
  scene.watchdog.tick(began + linger_time);
  scene.loop.run();
  CHECK(refused.size() == 1);
  scene.watchdog.tick(began + linger_time + scene.watchdog.tick_length());
  CHECK(scene.loop.run_until([&] { return refused.size() == 0; }));
  char byte;
  CHECK(::recv(client, &byte, 1, MSG_DONTWAIT) == 0);
  CHECK(scene.counts.connections_refused == 1);
  CHECK(scene.counts.slow_cut == 0);
  listener.stop();
  scene.loop.run();
  ::close(client);
}

TEST_CASE("Beyond max_connections few are waited for, the others are told at once") {
  ListenerScene scene;
  scene.services.options.max_connections = 0;
  SessionSet& refused = scene.services.refused;
  TcpListener listener(scene.loop.executor(), "127.0.0.1", 0, scene.services,
                       scene.services.endpoint);
  std::vector<int> clients;
  for (std::size_t number = 1; number <= kMostRefusedWaiting; ++number) {
    clients.push_back(connect_to(listener));
    REQUIRE(scene.loop.run_until([&] { return refused.size() == number; }));
  }
  clients.push_back(connect_to(listener));
  std::string told(1000, '\0');
  CHECK(scene.loop.run_until([&] {
    const ssize_t count = ::recv(clients.back(), told.data(), told.size(), MSG_DONTWAIT);
    if (count > 0)
      told.resize(static_cast<std::size_t>(count));
    return count > 0;
  }));
  CHECK(told.starts_with("HTTP/1.1 503 "));
  CHECK(refused.size() == kMostRefusedWaiting);
  CHECK(scene.counts.connections_refused == clients.size());
  listener.stop();
  refused.close();
  CHECK(scene.loop.run_until([&] { return refused.size() == 0; }));
  for (const int client : clients)
    ::close(client);
}

TEST_CASE("A Unix socket's file comes with the listener and goes with it") {
  const tests::TemporaryDirectory directory;
  const std::string path = directory.path() + "/agent.sock";
  ListenerScene scene;
  {
    UnixListener listener(scene.loop.executor(), path, scene.services, scene.services.endpoint);
    CHECK(is_socket(path));
    CHECK(scene.unix_refusal(path) == "listen on " + path + ": another process listens there");
    CHECK(is_socket(path));
  }
  CHECK_FALSE(is_socket(path));
  scene.loop.run();
}

TEST_CASE("Whatever the umask, the agent's group may connect to its socket, or everybody") {
  const tests::TemporaryDirectory directory;
  const std::string path = directory.path() + "/agent.sock";
  const auto mode_with = [&](mode_t umask, UnixListener::Access access) {
    ListenerScene scene;
    const mode_t before = ::umask(umask);
    UnixListener listener(scene.loop.executor(), path, scene.services, scene.services.endpoint,
                          access);
    ::umask(before);
    struct stat information {};
    REQUIRE(::stat(path.c_str(), &information) == 0);
    listener.stop();
    scene.loop.run();
    return information.st_mode & 07777;
  };
  for (const mode_t umask : {0000u, 0027u, 0077u}) {
    CHECK(mode_with(umask, UnixListener::Access::own_group) == 0660);
    CHECK(mode_with(umask, UnixListener::Access::everybody) == 0666);
  }
}

TEST_CASE("A socket file that nobody listens on is replaced, any other file is not") {
  const tests::TemporaryDirectory directory;
  const std::string path = directory.path() + "/agent.sock";
  {
    const int left = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(left, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    ::close(left);
  }
  ListenerScene scene;
  CHECK(scene.unix_refusal(path).empty());
  const std::string file = directory.write("data", "x");
  CHECK(scene.unix_refusal(file) == "listen on " + file + ": the file exists and is no socket");
  CHECK(std::filesystem::exists(file));
  CHECK(scene.unix_refusal("/" + std::string(200, 'x')).find("too long") != std::string::npos);
  CHECK(scene.unix_refusal(directory.path() + "/no/agent.sock").find("No such file") !=
        std::string::npos);
  scene.loop.run();
}

TEST_CASE("An inherited socket listens on, and its file stays when the agent stops") {
  const tests::TemporaryDirectory directory;
  const std::string path = directory.path() + "/agent.sock";
  const int inherited = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  REQUIRE(::bind(inherited, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(inherited, 5) == 0);
  ListenerScene scene;
  adopt_listener(scene.loop.executor(), ::dup(inherited), scene.services, scene.services.endpoint)
      ->stop();
  CHECK(is_socket(path));
  const auto again = adopt_listener(scene.loop.executor(), ::dup(inherited), scene.services,
                                    scene.services.endpoint);
  CHECK(again->address() == "unix:" + path);
  const int client = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  ::close(client);
  ::close(inherited);
  again->stop();
  scene.loop.run();
}

TEST_CASE("An inherited TCP socket must listen on a loopback address") {
  const auto listening_on = [](std::uint32_t host, int type = SOCK_STREAM) {
    const int descriptor = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(host);
    REQUIRE(::bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    if (type == SOCK_STREAM)
      REQUIRE(::listen(descriptor, 5) == 0);
    return descriptor;
  };
  ListenerScene scene;
  const auto refusal = [&](int descriptor) -> std::string {
    try {
      adopt_listener(scene.loop.executor(), descriptor, scene.services, scene.services.endpoint);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "";
  };
  const auto good = adopt_listener(scene.loop.executor(), listening_on(INADDR_LOOPBACK),
                                   scene.services, scene.services.endpoint);
  CHECK(good->address().starts_with("127.0.0.1:"));
  CHECK_THAT(refusal(listening_on(INADDR_ANY)), contains_text("is not a loopback address"));
  const int datagram = listening_on(INADDR_LOOPBACK, SOCK_DGRAM);
  CHECK_THAT(refusal(datagram), contains_text("is no listening stream socket"));
  ::close(datagram);
  good->stop();
  scene.loop.run();
}

}  // namespace invlog::capture
