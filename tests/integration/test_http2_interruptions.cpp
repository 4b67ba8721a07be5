// HTTP/2 streams and connections that do not end well, and the agent's stop: each call is on record
// with what passed of it.
#include <array>
#include <boost/asio/post.hpp>
#include <future>

#include "tests/catch.h"
#include "tests/integration/agent_fixture.h"
#include "tests/integration/http2_client.h"
#include "tests/integration/scripted_upstream.h"

namespace invlog::test {
namespace {

constexpr std::string_view kStart =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\n";

}  // namespace

TEST_CASE("HTTP/2: RST_STREAM while the upstream is silent cancels that call only") {
  std::promise<bool> cancelled;
  std::promise<void> taken;
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int) {
    const UpstreamRequest request = read_request(connection);
    if (request.body == "stays") {
      connection.send(json_response("{}"));
      read_request(connection);
      return;
    }
    taken.set_value();
    cancelled.set_value(connection.sees_end());
  });
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  Http2Client client(agent.port());
  const auto id = client.post(kConverse, "leaves");
  taken.get_future().wait();
  client.reset(id);
  CHECK(cancelled.get_future().get());
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "client-closed");
  CHECK(records[0].request.bytes == "leaves");
  CHECK(client.wait_for(client.post(kConverse, "stays")).status == 200);
}

TEST_CASE("HTTP/2: RST_STREAM in mid-stream cancels the upstream, and what passed is on record") {
  std::promise<bool> cancelled;
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int) {
    read_request(connection);
    connection.send(kStart);
    cancelled.set_value(connection.sees_end());
  });
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  Http2Client client(agent.port());
  const auto id = client.post(kConverse, "{}");
  REQUIRE(client.wait_for_body(id, 5));
  client.reset(id);
  CHECK(cancelled.get_future().get());
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "client-closed");
  CHECK(records[0].status == 200);
  CHECK(records[0].response.bytes == "hello");
}

TEST_CASE("HTTP/2: RST_STREAM in the middle of a request is a record with what came") {
  ScriptedUpstream upstream([](LoopbackSocket&, int) {});
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  Http2Client client(agent.port());
  const auto id = client.post(kConverse, "{\"half\":", {}, false);
  REQUIRE(client.round_trip());
  client.reset(id);
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "client-closed");
  CHECK(records[0].request.bytes == "{\"half\":");
  CHECK(upstream.connections() == 0);
}

TEST_CASE("HTTP/2: a connection that closes in mid-stream cancels all its calls") {
  constexpr int kCalls = 3;
  std::array<std::promise<bool>, kCalls> cancelled;
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int number) {
    read_request(connection);
    connection.send(kStart);
    cancelled[static_cast<std::size_t>(number)].set_value(connection.sees_end());
  });
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  Http2Client client(agent.port());
  for (int call = 0; call < kCalls; ++call)
    REQUIRE(client.wait_for_body(client.post(kConverse, "{}"), 5));
  SECTION("in order") {
    client.socket().close();
  }
  SECTION("with a reset") {
    client.socket().reset();
  }
  for (auto& each : cancelled)
    CHECK(each.get_future().get());
  const auto records = agent.sink().wait_for(kCalls);
  REQUIRE(records.size() == kCalls);
  for (const auto& record : records) {
    CHECK(record.outcome == "client-closed");
    CHECK(record.response.bytes == "hello");
  }
}

TEST_CASE("HTTP/2: a client that has left before it was heard leaves no call behind") {
  ScriptedUpstream upstream(
      ScriptedUpstream::answering([](const UpstreamRequest&) { return json_response("{}"); }));
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  const std::string request =
      http2_opening() + http2_frame(NGHTTP2_HEADERS,
                                    NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1,
                                    hpack(http2_post_headers(kConverse)));
  // Busy until all have left: the agent reads what they sent, and its first write fails.
  std::promise<void> left;
  boost::asio::post(agent.loop().context(), [waits = left.get_future().share()] { waits.wait(); });
  for (int client = 0; client < 100; ++client) {
    LoopbackSocket socket = agent.connect();
    socket.send(request);
    socket.reset();
  }
  left.set_value();
  Http2Client client(agent.port());
  CHECK(client.wait_for(client.post(kConverse, "{}")).status == 200);
  CHECK(agent.sink().wait_for(1).size() == 1);
  const capture::Statistics statistics = agent.statistics();
  CHECK(statistics.in_flight == 0);
  CHECK(statistics.calls == 1);
  CHECK(upstream.connections() == 1);
}

TEST_CASE("HTTP/2: an upstream that cuts a response is RST_STREAM, and the connection goes on") {
  const std::string start = GENERATE(
      std::string(kStart), std::string("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"));
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int) {
    read_request(connection);
    connection.send(start);
  });
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  Http2Client client(agent.port());
  for (int call = 1; call <= 2; ++call) {
    const Http2Client::Stream& answer = client.wait_for(client.post(kConverse, "{}"));
    CHECK(answer.status == 200);
    CHECK(answer.body == "hello");
    CHECK_FALSE(answer.ended);
    CHECK(answer.reset_code == std::uint32_t{NGHTTP2_INTERNAL_ERROR});
  }
  const auto records = agent.sink().wait_for(2);
  REQUIRE(records.size() == 2);
  CHECK(records[0].outcome == "upstream-closed");
  CHECK(records[0].response.bytes == "hello");
  CHECK(agent.statistics().upstream_errors == 2);
}

TEST_CASE("HTTP/2: an upstream that cannot be reached is an AWS-shaped 502 on each stream") {
  std::string url;
  {
    ScriptedUpstream gone([](LoopbackSocket&, int) {});
    url = gone.url();
  }
  AgentFixture agent(AgentFixture::configuration(url));
  Http2Client client(agent.port());
  for (int call = 1; call <= 2; ++call) {
    const Http2Client::Stream& answer = client.wait_for(client.post(kConverse, "{}"));
    CHECK(answer.status == 502);
    CHECK(answer.header("x-amzn-errortype") == "ServiceUnavailableException");
    CHECK(answer.ended);
  }
  CHECK(agent.sink().wait_for(2).size() == 2);
}

TEST_CASE("HTTP/2: on a stop, GOAWAY says what is answered, and the open stream ends well") {
  std::promise<void> go_on;
  std::future<void> waits = go_on.get_future();
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int) {
    read_request(connection);
    connection.send(kStart);
    waits.wait();
    connection.send("0\r\n\r\n");
    read_request(connection);
  });
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  Http2Client idle(agent.port());
  REQUIRE(idle.round_trip());
  Http2Client client(agent.port());
  const auto id = client.post(kConverse, "{}");
  REQUIRE(client.wait_for_body(id, 5));
  agent.begin_stop();
  CHECK(idle.wait_for_connection_end());
  CHECK(idle.goaway() == std::uint32_t{NGHTTP2_NO_ERROR});
  CHECK(client.run_until([&] { return client.goaway().has_value(); }));
  CHECK(client.goaway() == std::uint32_t{NGHTTP2_NO_ERROR});
  CHECK(client.goaway_last_stream() == id);
  go_on.set_value();
  const Http2Client::Stream& answer = client.wait_for(id);
  CHECK(answer.ended);
  CHECK(answer.body == "hello");
  CHECK(client.wait_for_connection_end());
  agent.join();
  CHECK(agent.sink().wait_for(1).at(0).outcome == "complete");
  CHECK(agent.statistics_after_stop().calls == 1);
}

TEST_CASE("HTTP/2: a stop waits for the books of a client that has left") {
  ScriptedUpstream upstream([](LoopbackSocket&, int) {});
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.durability = config::Durability::strict;
  AgentFixture agent(configuration);
  agent.sink().hold_commits();
  {
    Http2Client client(agent.port());
    client.post(kConverse, "{}");
    while (agent.sink().commits_waiting() == 0)
      std::this_thread::yield();
  }
  agent.begin_stop();
  std::future<void> stopped = std::async(std::launch::async, [&] { agent.join(); });
  // A stop that does not wait is over within this; one that does goes on well after it.
  CHECK(stopped.wait_for(std::chrono::milliseconds(100)) == std::future_status::timeout);
  agent.sink().release_commits();
  stopped.get();
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "client-closed");
  CHECK(agent.sink().finished_intents().size() == 1);
}

}  // namespace invlog::test
