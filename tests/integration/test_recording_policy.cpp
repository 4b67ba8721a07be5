// What the store's state does to calls: overload, failure, and strict durability.
#include <chrono>

#include "tests/catch.h"
#include "tests/integration/agent_fixture.h"
#include "tests/integration/scripted_upstream.h"

namespace invlog::test {
namespace {

using std::chrono::milliseconds;

// A record is handed over after the client has its answer.
bool dropped_in_the_end(AgentFixture& agent, std::uint64_t count) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (agent.statistics().dropped < count && std::chrono::steady_clock::now() < until) {
    std::this_thread::yield();
  }
  return agent.statistics().dropped == count;
}

}  // namespace

TEST_CASE("on_overload block: the call under way ends, the next waits for room, nothing is lost") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  agent.sink().set_full(true);
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{\"n\":1}"));
  CHECK(read_response(client).body == "{\"n\":1}");
  client.send(post(kConverse, "{\"n\":2}"));
  CHECK(client.read_some(milliseconds(100)).empty());
  agent.sink().set_full(false);
  CHECK(read_response(client).body == "{\"n\":2}");
  CHECK(agent.sink().wait_for(2).size() == 2);
  CHECK(agent.sink().dropped().empty());
}

TEST_CASE("on_overload pass: calls go on, and each record without room is counted") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.on_overload = config::OnOverload::pass;
  AgentFixture agent(configuration);
  agent.sink().set_full(true);
  LoopbackSocket client = agent.connect();
  for (int call = 0; call < 3; ++call) {
    client.send(post(kConverse, "{}"));
    CHECK(read_response(client).status == 200);
  }
  CHECK(dropped_in_the_end(agent, 3));
  CHECK(agent.sink().dropped() == std::vector<std::string>(3, "queue-full"));
}

TEST_CASE("on_storage_failure deny: 503 before anything is forwarded") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.on_storage_failure = config::OnStorageFailure::deny;
  AgentFixture agent(configuration);
  agent.sink().set_failing(true);
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  const HttpResponse response = read_response(client);
  CHECK(response.status == 503);
  CHECK(response.header("x-amzn-ErrorType") == "ServiceUnavailableException");
  CHECK(upstream.connections() == 0);
  CHECK(agent.sink().wait_for(1).at(0).outcome == "denied");
  // What is no invocation is not the store's business.
  client.send("GET /guardrails HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(read_response(client).status == 200);
  agent.sink().set_failing(false);
  client.send(post(kConverse, "{}"));
  CHECK(read_response(client).status == 200);
}

TEST_CASE("on_storage_failure pass: calls go on while the store fails") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  agent.sink().set_failing(true);
  agent.sink().set_full(true);
  LoopbackSocket client = agent.connect();
  for (int call = 0; call < 2; ++call) {
    client.send(post(kConverse, "{}"));
    CHECK(read_response(client).status == 200);
  }
  CHECK(dropped_in_the_end(agent, 2));
}

TEST_CASE("Strict: the request is on record before it is forwarded") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.durability = config::Durability::strict;
  AgentFixture agent(configuration);
  agent.sink().hold_commits();
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{\"n\":1}"));
  while (agent.sink().commits_waiting() == 0)
    std::this_thread::yield();
  std::this_thread::sleep_for(milliseconds(30));
  CHECK(upstream.connections() == 0);
  const auto intents = agent.sink().intents();
  REQUIRE(intents.size() == 1);
  CHECK(intents[0].outcome == "interrupted");
  CHECK(intents[0].request.bytes == "{\"n\":1}");
  agent.sink().release_commits();
  CHECK(read_response(client).body == "{\"n\":1}");
  CHECK(agent.sink().finished_intents().size() == 1);
}

TEST_CASE("A client that leaves while its call waits for the store is on record as not sent") {
  const bool strict = GENERATE(false, true);
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.durability = strict ? config::Durability::strict : config::Durability::group;
  AgentFixture agent(configuration);
  LoopbackSocket first = agent.connect();
  if (strict) {
    agent.sink().hold_commits();
  } else {
    // The record of this call takes the place that the next waits for.
    agent.sink().set_full(true);
    first.send(post(kConverse, "{\"n\":1}"));
    CHECK(read_response(first).status == 200);
  }
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{\"n\":2}"));
  while (strict ? agent.sink().commits_waiting() == 0 : agent.statistics().calls < 2)
    std::this_thread::yield();
  CHECK(client.read_some(milliseconds(50)).empty());
  client.reset();
  std::this_thread::sleep_for(milliseconds(50));
  for (int round = 0; round < 3; ++round)
    agent.statistics();  // so often its loop has looked at its sockets
  agent.sink().release_commits();
  agent.sink().set_full(false);
  const auto record = agent.sink().wait_for(strict ? 1 : 2).back();
  CHECK(record.outcome == "client-closed");
  CHECK(record.details.find("\"sent\":false") != std::string::npos);
  CHECK(upstream.connections() == (strict ? 0 : 1));
}

TEST_CASE("Strict: the response's last bytes wait for its commit") {
  FakeSink* sink = nullptr;
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int) {
    read_request(connection);
    sink->hold_commits();
    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    std::this_thread::sleep_for(milliseconds(50));
    connection.send("0\r\n\r\n");
    read_request(connection);
  });
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.durability = config::Durability::strict;
  AgentFixture agent(configuration);
  sink = &agent.sink();
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  client.read_until("5\r\nhello\r\n");
  while (agent.sink().commits_waiting() == 0)
    std::this_thread::yield();
  CHECK(client.read_some(milliseconds(50)).empty());
  agent.sink().release_commits();
  CHECK(client.read_until("0\r\n\r\n") == "0\r\n\r\n");
}

TEST_CASE(
    "Strict: on_storage_failure decides what becomes of a call that a failing store holds up") {
  const bool deny = GENERATE(true, false);
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.durability = config::Durability::strict;
  configuration.on_storage_failure =
      deny ? config::OnStorageFailure::deny : config::OnStorageFailure::pass;
  AgentFixture agent(configuration);
  agent.sink().hold_commits();
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  while (agent.sink().commits_waiting() == 0)
    std::this_thread::yield();
  agent.sink().set_failing(true);
  CHECK(read_response(client).status == (deny ? 503 : 200));
  agent.sink().wait_for(1);
  CHECK(agent.sink().finished_intents() == std::vector<storage::Writer::IntentId>{1});
  agent.sink().release_commits();
}

}  // namespace invlog::test
