// "A kept connection that the server closed before it took the request is replaced once, and after
// that nothing is tried again": the close comes after the agent looked and before the server took
// anything, which a filter on the server's socket makes certain: it drops the request, unseen by
// the server's TCP, until the server has closed.
#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <fstream>
#include <functional>
#include <sstream>

#include "tests/catch.h"
#include "tests/integration/agent_fixture.h"
#include "tests/integration/scripted_upstream.h"
#include "tests/integration/tls_server.h"

namespace invlog::test {
namespace {

std::uint16_t port_of(int descriptor, bool peer) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  peer ? ::getpeername(descriptor, generic, &length) : ::getsockname(descriptor, generic, &length);
  return ntohs(address.sin_port);
}

// Bytes that the other end of this loopback connection has written and that were not acknowledged,
// from the kernel's table (proc(5), /proc/net/tcp: tx_queue).
unsigned long unacknowledged_by(const LoopbackSocket& socket) {
  const std::uint16_t own = port_of(socket.descriptor(), false);
  const std::uint16_t other = port_of(socket.descriptor(), true);
  std::ifstream table("/proc/net/tcp");
  std::string line;
  while (std::getline(table, line)) {
    unsigned local = 0, remote = 0;
    unsigned long queued = 0;
    if (std::sscanf(line.c_str(), " %*d: %*8x:%4x %*8x:%4x %*2x %8lx:", &local, &remote, &queued) ==
            3 &&
        local == other && remote == own) {
      return queued;
    }
  }
  return 0;
}

// From now on nothing that the agent sends reaches this socket.
bool deafen(const LoopbackSocket& socket) {
  sock_filter drop{BPF_RET | BPF_K, 0, 0, 0};
  const sock_fprog program{1, &drop};
  return ::setsockopt(socket.descriptor(), SOL_SOCKET, SO_ATTACH_FILTER, &program,
                      sizeof program) == 0;
}

// Waits until the agent has written to the deaf socket; false if that took too long.
bool request_is_under_way(const LoopbackSocket& socket) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (unacknowledged_by(socket) == 0) {
    if (std::chrono::steady_clock::now() > until)
      return false;
    std::this_thread::yield();
  }
  return true;
}

// The first connection answers one request, and goes deaf; when the agent has written the second
// one to it, `then` happens. All other connections go to `next`.
struct Scene {
  std::atomic<int> taken{0};  // requests that a server read
  std::atomic<bool> staged{false}, looked{false};

  ScriptedUpstream::Script script(std::function<void(LoopbackSocket&)> then,
                                  std::function<void(LoopbackSocket&)> next) {
    return [this, then, next](LoopbackSocket& socket, int number) {
      if (number > 0) {
        next(socket);
        return;
      }
      taken += read_request(socket).complete;
      // Deaf before the agent knows that its connection is free again.
      const bool deaf = deafen(socket);
      socket.send(json_response("{\"call\":1}"));
      staged = deaf && request_is_under_way(socket);
      looked = true;
      then(socket);
    };
  }
  std::function<void(LoopbackSocket&)> answering() {
    return [this](LoopbackSocket& socket) {
      for (;;) {
        if (!read_request(socket).complete)
          return;
        ++taken;
        socket.send(json_response("{\"call\":2}"));
      }
    };
  }
};

void end(LoopbackSocket& socket) {
  socket.shut_writing();
}

}  // namespace

TEST_CASE("Replaced: a request that the server did not take before it closed is sent again") {
  Scene scene;
  ScriptedUpstream upstream(scene.script(end, scene.answering()));
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  // Also when it does not go out in one write.
  const std::string body =
      "{\"x\":\"" + std::string(GENERATE(std::size_t{1}, std::size_t{900'000}), 'x') + "\"}";
  client.send(post(kConverse, "{}"));
  CHECK(read_response(client).body == "{\"call\":1}");
  client.send(post(kConverse, body));
  const HttpResponse response = read_response(client);
  CHECK(scene.staged);
  CHECK(response.status == 200);
  CHECK(response.body == "{\"call\":2}");
  CHECK(scene.taken == 2);
  CHECK(upstream.connections() == 2);
  const auto records = agent.sink().wait_for(2);
  REQUIRE(records.size() == 2);
  CHECK(records[1].outcome == "complete");
  CHECK(records[1].request.bytes == body);
  CHECK(agent.statistics().upstream_errors == 0);
}

TEST_CASE("Replaced once: what happens to the second attempt is the answer") {
  Scene scene;
  ScriptedUpstream upstream(scene.script(end, [&](LoopbackSocket& socket) {
    scene.taken += read_request(socket).complete;  // and closes
  }));
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  CHECK(read_response(client).status == 200);
  client.send(post(kConverse, "{}"));
  CHECK(read_response(client).status == 502);
  CHECK(scene.staged);
  CHECK(scene.taken == 2);
  CHECK(upstream.connections() == 2);
  CHECK(agent.sink().wait_for(2).at(1).outcome == "upstream-closed");
}

TEST_CASE("Not replaced: any byte of an answer came before the close") {
  Scene scene;
  ScriptedUpstream upstream(scene.script(
      [](LoopbackSocket& socket) {
        socket.send("HTTP/1.1 200");
        socket.shut_writing();
      },
      scene.answering()));
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  CHECK(read_response(client).status == 200);
  client.send(post(kConverse, "{}"));
  CHECK(read_response(client).status == 502);
  CHECK(scene.staged);
  CHECK(scene.taken == 1);
  CHECK(upstream.connections() == 1);
}

TEST_CASE("Not replaced: the client left meanwhile") {
  Scene scene;
  std::atomic<bool> left{false};
  ScriptedUpstream upstream(scene.script(
      [&](LoopbackSocket& socket) {
        while (!left)
          std::this_thread::yield();
        socket.shut_writing();
      },
      scene.answering()));
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  CHECK(read_response(client).status == 200);
  client.send(post(kConverse, "{}"));
  while (!scene.looked)
    std::this_thread::yield();
  CHECK(scene.staged);
  client.close();
  CHECK(agent.sink().wait_for(2).at(1).outcome == "client-closed");
  left = true;
  CHECK(upstream.connections() == 1);
}

TEST_CASE("Not replaced: a server that took the request and reset the connection") {
  // Its acknowledgement is held back (as TCP does, up to 40 ms) and never sent: the reset comes
  // first. Only an orderly close says what was taken before it.
  std::atomic<int> taken{0};
  ScriptedUpstream upstream([&](LoopbackSocket& socket, int) {
    read_request(socket);
    socket.send(json_response("{}"));
    const int off = 0;
    ::setsockopt(socket.descriptor(), IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off);
    taken += read_request(socket).complete;
    socket.reset();
  });
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  CHECK(read_response(client).status == 200);
  client.send(post(kConverse, "{}"));
  CHECK(read_response(client).status == 502);
  CHECK(taken == 1);
  CHECK(upstream.connections() == 1);
}

TEST_CASE("Not replaced: a new connection, whatever becomes of it") {
  std::atomic<int> taken{0};
  ScriptedUpstream upstream(
      [&](LoopbackSocket& socket, int) { taken += read_request(socket).complete; });
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  CHECK(read_response(client).status == 502);
  CHECK(taken == 1);
  CHECK(upstream.connections() == 1);
}

TEST_CASE("Replaced over TLS: the same, counted in what TLS sent") {
  const bool says_so = GENERATE(true, false);
  const ServerCertificate certificate("IP:127.0.0.1");
  std::atomic<int> taken{0};
  std::atomic<bool> staged{false};
  ScriptedUpstream upstream([&](LoopbackSocket& socket, int number) {
    TlsServerConnection connection(certificate, socket);
    if (!connection.handshake())
      return;
    taken += connection.read_request().complete;
    const bool deaf = number > 0 || deafen(socket);
    connection.send(json_response(number > 0 ? "{\"call\":2}" : "{\"call\":1}"));
    if (number > 0) {
      connection.read_request();
      return;
    }
    staged = deaf && request_is_under_way(socket);
    if (says_so)
      connection.say_end();
    socket.shut_writing();
  });
  auto configuration =
      AgentFixture::configuration("https://127.0.0.1:" + std::to_string(upstream.port()));
  configuration.ca_bundle = certificate.authority_file();
  AgentFixture agent(configuration);
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  CHECK(read_response(client).body == "{\"call\":1}");
  client.send(post(kConverse, "{}"));
  CHECK(read_response(client).body == "{\"call\":2}");
  CHECK(staged);
  CHECK(taken == 2);
  CHECK(upstream.connections() == 2);
}

TEST_CASE("Not replaced over TLS: a server that took the request and reset the connection") {
  const ServerCertificate certificate("IP:127.0.0.1");
  std::atomic<int> taken{0};
  ScriptedUpstream upstream([&](LoopbackSocket& socket, int) {
    TlsServerConnection connection(certificate, socket);
    if (!connection.handshake())
      return;
    connection.read_request();
    connection.send(json_response("{}"));
    const int off = 0;
    ::setsockopt(socket.descriptor(), IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off);
    taken += connection.read_request().complete;
    socket.reset();
  });
  auto configuration =
      AgentFixture::configuration("https://127.0.0.1:" + std::to_string(upstream.port()));
  configuration.ca_bundle = certificate.authority_file();
  AgentFixture agent(configuration);
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  CHECK(read_response(client).status == 200);
  client.send(post(kConverse, "{}"));
  CHECK(read_response(client).status == 502);
  CHECK(taken == 1);
  CHECK(upstream.connections() == 1);
}

}  // namespace invlog::test
