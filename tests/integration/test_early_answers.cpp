// An upstream that answers before it has read the request: its answer reaches the client also if it
// neither reads on nor closes, and what is no answer does not cut the request off.
#include <future>
#include <thread>

#include "tests/catch.h"
#include "tests/integration/agent_fixture.h"
#include "tests/integration/scripted_upstream.h"
#include "tests/integration/tls_server.h"

namespace invlog::test {
namespace {

// More than the kernel takes of what nobody reads.
constexpr std::size_t kLargeBody = 20'000'000;
// Long enough for the agent to have looked for an answer twice.
constexpr std::chrono::milliseconds kPause{2500};

config::AgentConfig configuration_for(const std::string& url) {
  auto configuration = AgentFixture::configuration(url);
  configuration.connect_timeout = std::chrono::seconds(1);  // makes ticks short
  configuration.idle_timeout = std::chrono::seconds(4);
  return configuration;
}

void check_refused_early(AgentFixture& agent) {
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, std::string(kLargeBody, 'x')));
  const HttpResponse response = read_response(client);
  CHECK(response.status == 413);
  CHECK(response.body == "{}");
  CHECK(response.complete);
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "complete");
  CHECK(records[0].status == 413);
  CHECK(records[0].request.bytes.size() == kLargeBody);
  CHECK(records[0].response.bytes == "{}");
}

void check_answered_after_all(AgentFixture& agent) {
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, std::string(kLargeBody, 'x')));
  const HttpResponse response = read_response(client);
  CHECK(response.status == 200);
  CHECK(response.body == std::to_string(kLargeBody));
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "complete");
}

}  // namespace

TEST_CASE("An early answer of an upstream that reads no more reaches the client") {
  const std::string before =
      GENERATE(std::string(), std::string("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"));
  std::promise<void> done;
  const std::shared_future<void> waits = done.get_future().share();
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int number) {
    connection.read_until("\r\n\r\n");
    // The connection is no good for another request.
    if (number > 0) {
      connection.send(json_response("{}"));
      return;
    }
    connection.send(before + json_response("{}", 413));
    waits.wait_for(std::chrono::seconds(20));
  });
  AgentFixture agent(configuration_for(upstream.url()));
  check_refused_early(agent);
  LoopbackSocket client = agent.connect();
  client.send("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  CHECK(read_response(client).status == 200);
  CHECK(upstream.connections() == 2);
  done.set_value();
}

TEST_CASE("An early answer by TLS of an upstream that reads no more reaches the client") {
  const ServerCertificate certificate("IP:127.0.0.1");
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  std::promise<void> done;
  const std::shared_future<void> waits = done.get_future().share();
  ScriptedUpstream upstream([&](LoopbackSocket& socket, int) {
    TlsServerConnection connection(certificate, socket, version);
    if (!connection.handshake())
      return;
    connection.send(json_response("{}", 413));
    waits.wait_for(std::chrono::seconds(20));
  });
  auto configuration = configuration_for("https://127.0.0.1:" + std::to_string(upstream.port()));
  configuration.ca_bundle = certificate.authority_file();
  AgentFixture agent(configuration);
  check_refused_early(agent);
  done.set_value();
}

TEST_CASE("An upstream that pauses after an informational response gets the whole request") {
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int) {
    connection.send("HTTP/1.1 102 Processing\r\n\r\n");
    std::this_thread::sleep_for(kPause);
    const UpstreamRequest request = read_request(connection);
    connection.send(json_response(std::to_string(request.body.size())));
  });
  AgentFixture agent(configuration_for(upstream.url()));
  check_answered_after_all(agent);
}

// TLS 1.3 sends tickets after its handshake, which nobody has read by then.
TEST_CASE("An upstream with TLS that pauses gets the whole request") {
  const ServerCertificate certificate("IP:127.0.0.1");
  ScriptedUpstream upstream([&](LoopbackSocket& socket, int) {
    TlsServerConnection connection(certificate, socket);
    if (!connection.handshake())
      return;
    std::this_thread::sleep_for(kPause);
    const UpstreamRequest request = connection.read_request();
    connection.send(json_response(std::to_string(request.body.size())));
  });
  auto configuration = configuration_for("https://127.0.0.1:" + std::to_string(upstream.port()));
  configuration.ca_bundle = certificate.authority_file();
  AgentFixture agent(configuration);
  check_answered_after_all(agent);
}

}  // namespace invlog::test
