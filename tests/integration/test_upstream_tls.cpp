// The way to the service over TLS: who is trusted, what is refused, and how a refusal looks.
#include <future>

#include "tests/catch.h"
#include "tests/integration/agent_fixture.h"
#include "tests/integration/scripted_upstream.h"
#include "tests/integration/tls_server.h"

namespace invlog::test {
namespace {

config::AgentConfig configuration_for(const ScriptedUpstream& upstream,
                                      const ServerCertificate* trusted) {
  auto configuration =
      AgentFixture::configuration("https://127.0.0.1:" + std::to_string(upstream.port()));
  if (trusted != nullptr)
    configuration.ca_bundle = trusted->authority_file();
  return configuration;
}

// Answers every request with its body; counts those that came.
ScriptedUpstream::Script tls_echo(const ServerCertificate& certificate, std::atomic<int>& requests,
                                  int newest_version = TLS1_3_VERSION) {
  return [&, newest_version](LoopbackSocket& socket, int) {
    TlsServerConnection connection(certificate, socket, newest_version);
    if (!connection.handshake())
      return;
    for (;;) {
      const UpstreamRequest request = connection.read_request();
      if (!request.complete)
        return;
      ++requests;
      connection.send(json_response(request.body));
    }
  };
}

// The call is refused with AWS's shape and a reason that contains `reason`, and is on record.
void check_refused(AgentFixture& agent, const std::string& reason, int status = 502) {
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  const HttpResponse response = read_response(client);
  CHECK(response.status == status);
  CHECK(response.header("x-amzn-ErrorType") == "ServiceUnavailableException");
  INFO(response.body);
  CHECK(response.body.find("{\"message\":\"invlog: upstream ") == 0);
  CHECK(response.body.find(reason) != std::string::npos);
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == (status == 504 ? "timeout" : "upstream-closed"));
  CHECK(records[0].status == status);
  CHECK(records[0].request.bytes == "{}");
}

}  // namespace

TEST_CASE("TLS: calls go through on one kept connection") {
  const ServerCertificate certificate("DNS:other.test,IP:127.0.0.1");
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  std::atomic<int> requests{0};
  ScriptedUpstream upstream(tls_echo(certificate, requests, version));
  AgentFixture agent(configuration_for(upstream, &certificate));
  LoopbackSocket client = agent.connect();
  std::string body(2'000'000, '\0');
  for (std::size_t at = 0; at < body.size(); ++at)
    body[at] = static_cast<char>(at * 7919 >> 5);
  for (const std::string& each : {std::string("{}"), body, std::string("{\"n\":3}")}) {
    std::thread sender([&] { client.send(post(kConverse, each)); });
    const HttpResponse response = read_response(client);
    sender.join();
    CHECK(response.status == 200);
    CHECK(response.body == each);
  }
  CHECK(upstream.connections() == 1);
  CHECK(agent.sink().wait_for(3).size() == 3);
}

TEST_CASE("TLS: an authority that is not known is refused, and no request is sent") {
  const ServerCertificate certificate("IP:127.0.0.1"), other("IP:127.0.0.1");
  std::atomic<int> requests{0};
  ScriptedUpstream upstream(tls_echo(certificate, requests));
  const bool system_roots = GENERATE(true, false);
  AgentFixture agent(configuration_for(upstream, system_roots ? nullptr : &other));
  check_refused(agent, "certificate");
  CHECK(requests == 0);
}

TEST_CASE("TLS: a certificate for another name is refused") {
  const ServerCertificate certificate("DNS:127.0.0.1,DNS:bedrock.test,IP:127.0.0.2");
  std::atomic<int> requests{0};
  ScriptedUpstream upstream(tls_echo(certificate, requests));
  AgentFixture agent(configuration_for(upstream, &certificate));
  check_refused(agent, "mismatch");
  CHECK(requests == 0);
}

TEST_CASE("TLS: a certificate that has expired is refused") {
  const ServerCertificate certificate("IP:127.0.0.1", 0);
  std::atomic<int> requests{0};
  ScriptedUpstream upstream(tls_echo(certificate, requests));
  AgentFixture agent(configuration_for(upstream, &certificate));
  check_refused(agent, "expired");
  CHECK(requests == 0);
}

TEST_CASE("TLS: a server that speaks nothing newer than TLS 1.1 is refused") {
  const ServerCertificate certificate("IP:127.0.0.1");
  std::atomic<int> requests{0};
  ScriptedUpstream upstream(tls_echo(certificate, requests, TLS1_1_VERSION));
  AgentFixture agent(configuration_for(upstream, &certificate));
  check_refused(agent, "TLS with 127.0.0.1: ");
  CHECK(requests == 0);
}

TEST_CASE("TLS: a server that speaks no TLS is refused") {
  const ServerCertificate certificate("IP:127.0.0.1");
  ScriptedUpstream upstream([](LoopbackSocket& connection, int) {
    connection.read_some();
    connection.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    connection.sees_end();
  });
  AgentFixture agent(configuration_for(upstream, &certificate));
  check_refused(agent, "TLS with 127.0.0.1: ");
}

TEST_CASE("TLS: a handshake that does not go on is a 504 after connect_timeout") {
  const ServerCertificate certificate("IP:127.0.0.1");
  ScriptedUpstream upstream([](LoopbackSocket& connection, int) {
    connection.read_some();
    connection.sees_end();
  });
  auto configuration = configuration_for(upstream, &certificate);
  configuration.connect_timeout = std::chrono::milliseconds(500);
  AgentFixture agent(configuration);
  check_refused(agent, "no connection within 500 ms", 504);
}

TEST_CASE("TLS: a kept connection that the server has closed is replaced") {
  const bool says_so = GENERATE(true, false);
  const ServerCertificate certificate("IP:127.0.0.1");
  std::atomic<int> closed{0};
  ScriptedUpstream upstream([&](LoopbackSocket& socket, int) {
    TlsServerConnection connection(certificate, socket);
    if (!connection.handshake())
      return;
    const UpstreamRequest request = connection.read_request();
    connection.send(json_response(request.body));
    if (says_so)
      connection.say_end();
    socket.shut_writing();
    ++closed;
    socket.sees_end();
  });
  AgentFixture agent(configuration_for(upstream, &certificate));
  LoopbackSocket client = agent.connect();
  for (int call = 0; call < 10; ++call) {
    client.send(post(kConverse, "{}"));
    CHECK(read_response(client).status == 200);
    while (closed == call)
      std::this_thread::yield();
  }
  CHECK(agent.sink().wait_for(10).size() == 10);
}

TEST_CASE("TLS: a response that ends with its connection is whole only if TLS says so") {
  const bool says_so = GENERATE(true, false);
  const ServerCertificate certificate("IP:127.0.0.1");
  ScriptedUpstream upstream([&](LoopbackSocket& socket, int) {
    TlsServerConnection connection(certificate, socket);
    if (!connection.handshake())
      return;
    connection.read_request();
    connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nso far");
    if (says_so)
      connection.say_end();
  });
  AgentFixture agent(configuration_for(upstream, &certificate));
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  const HttpResponse response = read_response(client);
  CHECK(response.body == "so far");
  CHECK(response.complete == says_so);
  CHECK(agent.sink().wait_for(1).at(0).outcome == (says_so ? "complete" : "upstream-closed"));
}

}  // namespace invlog::test
