// Calls that do not end well: who broke it is seen by the other side, and is on record with all
// bytes that passed.
#include <atomic>
#include <future>

#include "tests/catch.h"
#include "tests/integration/agent_fixture.h"
#include "tests/integration/scripted_upstream.h"

namespace invlog::test {
namespace {

constexpr std::string_view kChunkedHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

std::uint16_t closed_port() {
  ScriptedUpstream upstream([](LoopbackSocket&, int) {});
  return upstream.port();
}

}  // namespace

TEST_CASE("A client that goes away while the upstream is silent cancels the upstream call") {
  std::promise<bool> cancelled;
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int) {
    read_request(connection);
    cancelled.set_value(connection.sees_end());
  });
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, R"({"a":1})"));
  while (upstream.connections() == 0)
    std::this_thread::yield();
  client.close();
  CHECK(cancelled.get_future().get());
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "client-closed");
  CHECK(records[0].request.bytes == R"({"a":1})");
  CHECK(records[0].details.find("\"sent\"") == std::string::npos);
}

TEST_CASE("A client that goes away in mid-stream cancels it, and what it got is on record") {
  std::promise<bool> cancelled;
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int) {
    read_request(connection);
    connection.send(std::string(kChunkedHead) + "5\r\nhello\r\n");
    cancelled.set_value(connection.sees_end());
  });
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  client.send(post("/openai/v1/chat/completions", "{}"));
  client.read_until("hello\r\n");
  client.reset();
  CHECK(cancelled.get_future().get());
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "client-closed");
}

TEST_CASE("A client that closes at the stream's own end, before HTTP's, got a complete response") {
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int) {
    read_request(connection);
    connection.send(std::string(kChunkedHead) + "e\r\ndata: [DONE]\n\n\r\n");
    connection.sees_end();
  });
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  client.send(post("/openai/v1/chat/completions", "{}"));
  client.read_until("[DONE]\n\n\r\n");
  const bool read_all = GENERATE(true, false);
  read_all ? client.close() : client.reset();  // as Linux does where something is unread
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == (read_all ? "complete" : "client-closed"));
  CHECK(records[0].details.empty() == read_all);
}

TEST_CASE("An upstream that cuts a response is seen as a cut by the client") {
  const std::string start =
      GENERATE(std::string(kChunkedHead) + "5\r\nhello\r\n",
               std::string("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"));
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int) {
    read_request(connection);
    connection.send(start);
  });
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  const HttpResponse response = read_response(client);
  CHECK(response.status == 200);
  CHECK(response.body == "hello");
  CHECK_FALSE(response.complete);
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "upstream-closed");
  CHECK(records[0].response.bytes == "hello");
}

TEST_CASE("An HTTP/1.0 client sees by a reset that a stream was cut, and else an orderly end") {
  const bool whole = GENERATE(true, false);
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int) {
    read_request(connection);
    connection.send(std::string(kChunkedHead) + "5\r\nhello\r\n" + (whole ? "0\r\n\r\n" : ""));
  });
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  client.send("POST " + std::string(kConverse) +
              " HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{}");
  client.read_until("hello");
  CHECK(client.sees_reset() == !whole);
  CHECK(agent.sink().wait_for(1).at(0).outcome == (whole ? "complete" : "upstream-closed"));
}

TEST_CASE("An upstream that refuses the connection is a 502 that SDKs retry") {
  const std::string url = "http://127.0.0.1:" + std::to_string(closed_port());
  AgentFixture agent(AgentFixture::configuration(url));
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  const HttpResponse response = read_response(client);
  CHECK(response.status == 502);
  CHECK(response.header("x-amzn-ErrorType") == "ServiceUnavailableException");
  CHECK(response.body.find("Connection refused") != std::string::npos);
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "upstream-closed");
  CHECK(records[0].status == 502);
  CHECK(records[0].details.find("\"sent\":false") != std::string::npos);
  // The client's connection goes on.
  client.send(post(kConverse, "{}"));
  CHECK(read_response(client).status == 502);
  CHECK(agent.statistics().upstream_errors == 2);
}

TEST_CASE("An upstream that stays silent is a 504 after idle_timeout") {
  ScriptedUpstream upstream([](LoopbackSocket& connection, int) {
    read_request(connection);
    connection.sees_end();
  });
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.idle_timeout = std::chrono::milliseconds(500);
  AgentFixture agent(configuration);
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  const HttpResponse response = read_response(client);
  CHECK(response.status == 504);
  CHECK(response.header("x-amzn-ErrorType") == "ServiceUnavailableException");
  CHECK(response.body.find("no answer within 500 ms ([agent] idle_timeout)") != std::string::npos);
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "timeout");
  CHECK(records[0].details.find("[agent] idle_timeout") != std::string::npos);
  CHECK(records[0].details.find("\"sent\"") == std::string::npos);
}

TEST_CASE("An upstream that stalls in mid-stream is cut after idle_timeout") {
  ScriptedUpstream upstream([](LoopbackSocket& connection, int) {
    read_request(connection);
    connection.send(std::string(kChunkedHead) + "5\r\nhello\r\n");
    connection.sees_end();
  });
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.idle_timeout = std::chrono::milliseconds(500);
  AgentFixture agent(configuration);
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  const HttpResponse response = read_response(client);
  CHECK(response.body == "hello");
  CHECK_FALSE(response.complete);
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "timeout");
  CHECK(records[0].details.find("longer than [agent] idle_timeout") != std::string::npos);
}

TEST_CASE("A kept connection that the server has closed is replaced") {
  // The server closes after each answer without saying so.
  std::atomic<int> closed{0};
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int) {
    const UpstreamRequest request = read_request(connection);
    connection.send(json_response(request.body));
    connection.shut_writing();
    ++closed;
    connection.sees_end();
  });
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  for (int call = 0; call < 20; ++call) {
    client.send(post(kConverse, "{}"));
    CHECK(read_response(client).status == 200);
    while (closed == call)
      std::this_thread::yield();
  }
  CHECK(agent.sink().wait_for(20).size() == 20);
}

TEST_CASE("A request that the server took before it closed is not sent again") {
  std::atomic<int> taken{0};
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int) {
    read_request(connection);
    connection.send(json_response("{}"));
    if (read_request(connection).complete)
      ++taken;
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

TEST_CASE("On a stop, the call under way ends well and the connection closes") {
  std::promise<void> go_on;
  std::future<void> waits = go_on.get_future();
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int) {
    read_request(connection);
    connection.send(std::string(kChunkedHead) + "5\r\nhello\r\n");
    waits.wait();
    connection.send("0\r\n\r\n");
    read_request(connection);
  });
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket idle = agent.connect();
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  client.read_until("hello\r\n");
  agent.begin_stop();
  CHECK(idle.sees_end());
  go_on.set_value();
  CHECK(client.read_to_end() == "0\r\n\r\n");
  agent.join();
  CHECK(agent.sink().wait_for(1).at(0).outcome == "complete");
}

TEST_CASE("A call that waits for credentials when a stop cuts it is on record") {
  ScriptedUpstream upstream([](LoopbackSocket&, int) {});
  AgentFixture agent(
      AgentFixture::configuration(upstream.url()), true,
      [](const char*) { return std::optional<std::string>(); }, std::chrono::milliseconds(50));
  std::unique_lock slow(agent.credentials().gate);
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, R"({"a":1})"));
  while (agent.statistics().in_flight == 0)
    std::this_thread::yield();
  agent.begin_stop();
  CHECK(client.sees_end());
  const auto records = agent.sink().wait_for(1);
  slow.unlock();
  agent.join();
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "interrupted");
  CHECK(records[0].request.bytes == R"({"a":1})");
  CHECK(upstream.connections() == 0);
}

}  // namespace invlog::test
