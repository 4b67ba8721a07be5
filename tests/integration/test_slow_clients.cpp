// Clients that send slowly, much, or nothing: what they hold is bounded, and others are served.
#include <cstdio>
#include <future>
#include <thread>
#include <vector>

#include "tests/catch.h"
#include "tests/integration/agent_fixture.h"
#include "tests/integration/http2_client.h"
#include "tests/integration/scripted_upstream.h"

namespace invlog::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

ScriptedUpstream::Script echo() {
  return ScriptedUpstream::answering([](const UpstreamRequest&) { return json_response("{}"); });
}

// Sends `piece` every few milliseconds until the agent ends the connection; false: it never does.
bool cut_while_dripping(LoopbackSocket& socket, std::string_view piece) {
  const auto limit = steady_clock::now() + std::chrono::seconds(30);
  while (steady_clock::now() < limit) {
    if (!socket.send(piece) || socket.sees_end(milliseconds(5)))
      return true;
  }
  return false;
}

void check_served(AgentFixture& agent) {
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  CHECK(read_response(client).status == 200);
}

std::string chunk(std::size_t bytes) {
  char size[20];
  std::snprintf(size, sizeof size, "%zx\r\n", bytes);
  return size + std::string(bytes, 'x') + "\r\n";
}

// The head of a request with a body of 100,000 bytes, and so much of that.
std::string begun_post(std::size_t bytes) {
  return "POST " + std::string(kConverse) +
         " HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + std::string(bytes, 'x');
}

// Clients whose bodies, 90,000 bytes of each so far, fill the memory of an agent whose
// max_request_bytes are 100,000.
std::vector<LoopbackSocket> fill_memory(AgentFixture& agent) {
  std::vector<LoopbackSocket> clients;
  for (int number = 0; number < 4; ++number) {
    clients.push_back(agent.connect());
    clients.back().send(begun_post(90'000));
  }
  while (agent.body_bytes() < 400'000) {
  }
  return clients;
}

constexpr std::string_view kChunkedHead = "Transfer-Encoding: chunked\r\n\r\n";

std::string chunked_head() {
  return "POST " + std::string(kConverse) + " HTTP/1.1\r\nHost: x\r\n" + std::string(kChunkedHead);
}

}  // namespace

TEST_CASE("A head that drips in is cut at header_timeout, however steadily it drips") {
  const std::string start =
      GENERATE(std::string("POST /x HTTP/1.1\r\nX: "), std::string("PRI * HTTP/2.0\r\n\r\n"));
  ScriptedUpstream upstream(echo());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.clients.header_timeout = milliseconds(500);
  AgentFixture agent(configuration);
  LoopbackSocket slow = agent.connect();
  slow.send(start);
  if (start.starts_with("PRI")) {
    CHECK(slow.sees_end());
  } else {
    CHECK(cut_while_dripping(slow, "x"));
  }
  check_served(agent);
  CHECK(agent.statistics().calls == 1);
  CHECK(agent.statistics().clients.slow_cut == 1);
}

TEST_CASE("Connections without a request end after keep_alive_timeout") {
  ScriptedUpstream upstream(echo());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.clients.keep_alive_timeout = milliseconds(500);
  AgentFixture agent(configuration);
  LoopbackSocket silent = agent.connect(), used = agent.connect(), http2 = agent.connect();
  http2.send(http2_opening());
  used.send(post(kConverse, "{}"));
  CHECK(read_response(used).status == 200);
  CHECK(silent.sees_end());
  CHECK(used.sees_end());
  while (!http2.read_some().empty()) {
  }
  CHECK(http2.sees_end());
  CHECK(agent.statistics().clients.slow_cut == 0);
}

TEST_CASE("At max_connections the longest idle connection makes room") {
  ScriptedUpstream upstream(echo());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.clients.max_connections = 8;
  AgentFixture agent(configuration);
  std::vector<LoopbackSocket> idle;
  for (int number = 0; number < 8; ++number) {
    idle.push_back(agent.connect());
    idle.back().send(post(kConverse, "{}"));
    CHECK(read_response(idle.back()).status == 200);
  }
  // The oldest is used again, so another is the longest idle.
  idle[0].send(post(kConverse, "{}"));
  CHECK(read_response(idle[0]).status == 200);
  check_served(agent);
  CHECK(idle[1].sees_end());
  idle[0].send(post(kConverse, "{}"));
  CHECK(read_response(idle[0]).status == 200);
  // A thousand that say nothing, or half a head, do not keep others out.
  std::vector<LoopbackSocket> many;
  for (int number = 0; number < 1000; ++number) {
    many.push_back(agent.connect());
    many.back().send("POST /x HT");
    if (number % 100 == 0)
      check_served(agent);
  }
  check_served(agent);
}

TEST_CASE("Where each connection has a call under way, another is refused with 503") {
  std::promise<void> go;
  const auto gone = go.get_future().share();
  ScriptedUpstream upstream(ScriptedUpstream::answering([gone](const UpstreamRequest&) {
    gone.wait();
    return json_response("{}");
  }));
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.clients.max_connections = 3;
  AgentFixture agent(configuration);
  std::vector<LoopbackSocket> busy;
  for (int number = 0; number < 3; ++number) {
    busy.push_back(agent.connect());
    busy.back().send(post(kConverse, "{}"));
  }
  while (upstream.connections() < 3) {
  }
  LoopbackSocket other = agent.connect();
  other.send(post(kConverse, "{}"));
  const HttpResponse refusal = read_response(other);
  CHECK(refusal.status == 503);
  CHECK(refusal.header("x-amzn-ErrorType") == "ServiceUnavailableException");
  CHECK(refusal.body.find("max_connections of 3") != std::string::npos);
  go.set_value();
  for (LoopbackSocket& client : busy)
    CHECK(read_response(client).status == 200);
  check_served(agent);
  CHECK(agent.statistics().clients.connections_refused == 1);
}

TEST_CASE("HTTP/2: where each connection has a call under way, another is refused with 503") {
  std::promise<void> go;
  const auto gone = go.get_future().share();
  ScriptedUpstream upstream(ScriptedUpstream::answering([gone](const UpstreamRequest&) {
    gone.wait();
    return json_response("{}");
  }));
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.clients.max_connections = 1;
  AgentFixture agent(configuration);
  LoopbackSocket busy = agent.connect();
  busy.send(post(kConverse, "{}"));
  while (upstream.connections() < 1) {
  }
  Http2Client other(agent.port());
  // More than the windows let it send unasked.
  const auto id = other.post(kConverse, std::string(200'000, 'x'));
  const Http2Client::Stream& refusal = other.wait_for(id);
  CHECK(refusal.status == 503);
  CHECK(refusal.header("content-type") == "application/json");
  CHECK(refusal.header("x-amzn-errortype") == "ServiceUnavailableException");
  CHECK(refusal.body.find("max_connections of 1") != std::string::npos);
  CHECK(refusal.ended);
  CHECK_FALSE(refusal.reset_code.has_value());
  CHECK(other.run_until([&] { return other.goaway().has_value(); }));
  CHECK(other.goaway() == std::uint32_t{NGHTTP2_NO_ERROR});
  CHECK(other.goaway_last_stream() == id);
  CHECK(other.wait_for_connection_end());
  CHECK(agent.statistics().clients.connections_refused == 1);
  go.set_value();
  CHECK(read_response(busy).status == 200);
}

TEST_CASE("A stop does not wait for who is being refused") {
  std::promise<void> go;
  const auto gone = go.get_future().share();
  ScriptedUpstream upstream(ScriptedUpstream::answering([gone](const UpstreamRequest&) {
    gone.wait();
    return json_response("{}");
  }));
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.clients.max_connections = 1;
  AgentFixture agent(configuration);
  LoopbackSocket busy = agent.connect();
  busy.send(post(kConverse, "{}"));
  while (upstream.connections() < 1) {
  }
  LoopbackSocket silent = agent.connect();
  while (agent.statistics().clients.connections_refused == 0) {
  }
  agent.begin_stop();
  // Earlier than linger_time, while the call is still under way.
  CHECK(silent.sees_end(milliseconds(1500)));
  go.set_value();
  CHECK(read_response(busy).status == 200);
  agent.join();
}

TEST_CASE("Bodies that are announced and do not come hold nobody up") {
  ScriptedUpstream upstream(echo());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.max_request_bytes = 100'000;  // of which four fit the memory for bodies
  AgentFixture agent(configuration);
  std::vector<LoopbackSocket> slow;
  for (int number = 0; number < 8; ++number) {
    slow.push_back(agent.connect());
    slow.back().send(begun_post(1));
  }
  Http2Client many(agent.port());
  for (int number = 0; number < 50; ++number)
    many.post(kConverse, "x", {{"content-length", "100000"}}, false);
  while (agent.statistics().calls < 58) {
  }
  check_served(agent);
  LoopbackSocket large = agent.connect();
  large.send(post(kConverse, std::string(90'000, ' ')));
  CHECK(read_response(large).status == 200);
  Http2Client other(agent.port());
  CHECK(other.wait_for(other.post(kConverse, std::string(90'000, ' '))).status == 200);
  CHECK(agent.statistics().clients.slow_cut == 0);
  CHECK(agent.sink().wait_for(3).size() == 3);
  CHECK(agent.body_bytes() < 1000);
}

TEST_CASE("Bodies that stop half-way make room for others") {
  ScriptedUpstream upstream(echo());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.max_request_bytes = 100'000;  // of which four fit the memory for bodies
  configuration.clients.header_timeout = milliseconds(500);
  AgentFixture agent(configuration);
  std::vector<LoopbackSocket> slow = fill_memory(agent);
  // All four are slow by now: those that are not yet would stay, once there is room.
  std::this_thread::sleep_for(configuration.clients.header_timeout + milliseconds(10));
  LoopbackSocket small = agent.connect();
  small.send(post(kConverse, "{}"));
  CHECK(read_response(small).status == 200);  // waits for nobody's memory
  CHECK(agent.statistics().clients.slow_cut == 0);
  LoopbackSocket large = agent.connect();
  large.send(post(kConverse, std::string(90'000, ' ')));
  CHECK(read_response(large).status == 200);
  for (LoopbackSocket& client : slow)
    CHECK(client.sees_end());
  const auto records = agent.sink().wait_for(6);
  std::size_t cut = 0;
  for (const auto& record : records)
    cut += record.details.find("slow to arrive") != std::string::npos;
  CHECK(cut == 4);
  CHECK(agent.statistics().clients.slow_cut == 4);
}

TEST_CASE("HTTP/2: a call that is reset while it waits for memory ends at once") {
  ScriptedUpstream upstream(echo());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.max_request_bytes = 100'000;  // of which four fit the memory for bodies
  AgentFixture agent(configuration);
  const std::vector<LoopbackSocket> slow = fill_memory(agent);
  Http2Client client(agent.port());
  const auto id = client.post(kConverse, std::string(90'000, ' '));
  CHECK(client.run_until([&] { return client.body_sent(id) == 90'000; }));
  CHECK(client.round_trip());
  CHECK_FALSE(client.stream(id).closed);
  client.reset(id);
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "client-closed");
  CHECK(upstream.connections() == 0);
}

TEST_CASE("Others' bodies do not cost a call its answer's place on record") {
  std::promise<void> go;
  std::shared_future<void> gone = go.get_future().share();
  ScriptedUpstream upstream([gone](LoopbackSocket& connection, int) {
    for (;;) {
      const UpstreamRequest request = read_request(connection);
      if (request.body.empty())
        break;
      if (request.body.size() > 1000)
        gone.wait();
      connection.send(json_response(request.body.size() > 1000 ? "{}" : std::string(5000, '1')));
    }
  });
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.max_request_bytes = 100'000;
  AgentFixture agent(configuration);
  std::vector<LoopbackSocket> large;
  for (int number = 0; number < 4; ++number) {
    large.push_back(agent.connect());
    large.back().send(post(kConverse, std::string(100'000, ' ')));
  }
  while (upstream.connections() < 4) {
  }
  LoopbackSocket small = agent.connect();
  small.send(post(kConverse, "{}"));
  CHECK(read_response(small).body.size() == 5000);
  const auto records = agent.sink().wait_for(1);
  CHECK(records.at(0).response.bytes.size() == 5000);
  CHECK_FALSE(records.at(0).response.truncated);
  go.set_value();
  for (LoopbackSocket& client : large)
    CHECK(read_response(client).status == 200);
}

TEST_CASE("Endless chunks are bounded together, and slow ones make room") {
  ScriptedUpstream upstream(echo());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.max_request_bytes = 100'000;
  configuration.clients.header_timeout = milliseconds(500);
  AgentFixture agent(configuration);
  std::vector<LoopbackSocket> slow;
  // Ten that hold 90,000 each would be over twice of what there is.
  for (int number = 0; number < 10; ++number) {
    slow.push_back(agent.connect());
    slow.back().send(chunked_head() + chunk(90'000));
  }
  while (agent.statistics().calls < 10) {
  }
  check_served(agent);
  // As many as it takes for the others to fit.
  std::size_t ended = 0;
  const auto limit = steady_clock::now() + std::chrono::seconds(10);
  while (ended < 4 && steady_clock::now() < limit) {
    ended = 0;
    for (LoopbackSocket& client : slow)
      ended += client.sees_end(milliseconds(10));
  }
  CHECK(ended >= 4);
  LoopbackSocket good = agent.connect();
  good.send(chunked_head() + chunk(90'000) + "0\r\n\r\n");
  CHECK(read_response(good).status == 200);
}

TEST_CASE("HTTP/2: bodies without a length are bounded together too") {
  ScriptedUpstream upstream(echo());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.max_request_bytes = 1'000'000;
  configuration.clients.header_timeout = milliseconds(500);
  AgentFixture agent(configuration);
  Http2Client client(agent.port());
  const std::string part(900'000, 'x');
  std::vector<std::int32_t> streams;
  for (int number = 0; number < 8; ++number)
    streams.push_back(client.post(kConverse, part, {}, false));
  CHECK(client.run_until([&] {
    std::size_t resets = 0;
    for (const std::int32_t id : streams)
      resets += client.stream(id).closed;
    return resets >= 4;
  }));
  CHECK(client.wait_for(client.post(kConverse, "{}")).status == 200);
  check_served(agent);
}

TEST_CASE("HTTP/2: frames that ask for nothing end the connection when they do not end") {
  const auto frame = GENERATE(http2_frame(NGHTTP2_PING, 0, 0, std::string(8, 'x')),
                              http2_frame(NGHTTP2_SETTINGS, 0, 0, std::string_view()),
                              http2_frame(NGHTTP2_PRIORITY, 0, 1, std::string(5, '\1')));
  ScriptedUpstream upstream(echo());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket socket = agent.connect();
  socket.send(http2_opening());
  std::string many;
  for (int number = 0; number < 500; ++number)
    many += frame;
  bool open = true;
  int rounds = 0;
  // It reads what it is sent, unlike the flood of test_http2_abuse.cpp.
  for (; rounds < 1000 && open; ++rounds) {
    open = socket.send(many);
    if (open && frame[3] != NGHTTP2_PRIORITY)
      open = !socket.read_some().empty();
  }
  CHECK_FALSE(open);
  CHECK(rounds >= 10);
  check_served(agent);
}

TEST_CASE("HTTP/2: empty DATA frames end the connection when they do not end") {
  ScriptedUpstream upstream(echo());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket socket = agent.connect();
  socket.send(http2_opening() + http2_frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1,
                                            hpack(http2_post_headers(kConverse))));
  std::string many;
  for (int number = 0; number < 500; ++number)
    many += http2_frame(NGHTTP2_DATA, 0, 1, "");
  int rounds = 0;
  while (rounds < 1000 && socket.send(many))
    ++rounds;
  CHECK(rounds < 1000);
  check_served(agent);
}

}  // namespace invlog::test
