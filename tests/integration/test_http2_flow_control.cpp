// HTTP/2's windows as backpressure, both ways: what a slow side does not take is not read from the
// other.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <future>

#include "tests/catch.h"
#include "tests/integration/agent_fixture.h"
#include "tests/integration/http2_client.h"
#include "tests/integration/scripted_upstream.h"

namespace invlog::test {
namespace {

constexpr std::size_t kMebibyte = 1 << 20;

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t at = 0; at < size; ++at)
    bytes[at] = static_cast<char>(at * 2654435761u >> 13);
  return bytes;
}

// Sends all of `bytes`; says through `stalled` how many went before nothing could be sent for
// 200 ms. (A slow machine makes that number smaller, never larger.)
void send_and_tell(LoopbackSocket& connection, const std::string& bytes,
                   std::promise<std::size_t>& stalled) {
  std::size_t sent = 0;
  bool told = false;
  while (sent < bytes.size()) {
    pollfd ready{connection.descriptor(), POLLOUT, 0};
    if (::poll(&ready, 1, told ? 5000 : 200) == 0) {
      if (told)
        break;
      told = true;
      stalled.set_value(sent);
      continue;
    }
    const ssize_t count =
        ::send(connection.descriptor(), bytes.data() + sent,
               std::min<std::size_t>(64 * 1024, bytes.size() - sent), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count <= 0)
      break;
    sent += static_cast<std::size_t>(count);
  }
  if (!told)
    stalled.set_value(sent);
}

}  // namespace

TEST_CASE("HTTP/2: a client that does not open its window stops the upstream") {
  const std::string body = pattern(16 * kMebibyte);
  std::promise<std::size_t> stalled;
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int) {
    const int small = 64 * 1024;
    ::setsockopt(connection.descriptor(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    read_request(connection);
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
                    "\r\n\r\n");
    send_and_tell(connection, body, stalled);
    read_request(connection);
  });
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.max_recorded_response_bytes = kMebibyte;
  AgentFixture agent(configuration);
  Http2Client client(agent.port(), Http2Client::Windows::by_hand, 1000);
  const auto id = client.post(kConverse, "{}");
  CHECK(client.wait_for_body(id, 1000));
  // What was sent lies in the two sockets' buffers and in the agent's one.
  CHECK(stalled.get_future().get() < 8 * kMebibyte);
  CHECK(client.round_trip());
  CHECK(client.stream(id).body.size() == 1000);
  client.open_window(id, static_cast<std::int32_t>(body.size()));
  const Http2Client::Stream& answer = client.wait_for(id);
  CHECK(answer.ended);
  CHECK(answer.body == body);
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "complete");
  CHECK(records[0].response.bytes == body.substr(0, kMebibyte));
}

TEST_CASE("HTTP/2: a client that takes nothing for longer than the stall timeout is given up") {
  std::promise<bool> cancelled;
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int) {
    read_request(connection);
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + std::string(4000, 'x'));
    cancelled.set_value(connection.sees_end());
  });
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.idle_timeout = std::chrono::milliseconds(500);
  AgentFixture agent(configuration);
  Http2Client client(agent.port(), Http2Client::Windows::by_hand, 1000);
  const Http2Client::Stream& answer = client.wait_for(client.post(kConverse, "{}"));
  CHECK(answer.body.size() == 1000);
  CHECK(answer.reset_code == std::uint32_t{NGHTTP2_CANCEL});
  CHECK(cancelled.get_future().get());
  CHECK(agent.sink().wait_for(1).at(0).outcome == "client-closed");
}

TEST_CASE("HTTP/2: requests without room wait with small windows, and hold nobody else up") {
  // Room for four bodies of this size at a time.
  constexpr std::size_t kBody = kMebibyte;
  std::promise<void> answer_now;
  const std::shared_future<void> waits = answer_now.get_future().share();
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int) {
    for (;;) {
      const UpstreamRequest request = read_request(connection);
      if (!request.complete)
        return;
      waits.wait();
      connection.send(json_response(std::to_string(request.body.size())));
    }
  });
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.max_request_bytes = kBody;
  AgentFixture agent(configuration);
  Http2Client client(agent.port());
  REQUIRE(client.round_trip());
  const std::string body = pattern(kBody);
  const HeaderList length{{"content-length", std::to_string(kBody)}};
  std::vector<std::int32_t> first, later;
  for (int number = 0; number < 4; ++number)
    first.push_back(client.post(kConverse, body, length, false));
  CHECK(client.run_until([&] {
    return std::all_of(first.begin(), first.end(),
                       [&](auto id) { return client.body_sent(id) == kBody; });
  }));
  for (int number = 0; number < 8; ++number)
    later.push_back(client.post(kConverse, body, length, false));
  REQUIRE(client.round_trip());
  for (const auto id : later)
    client.send_body(id, "", true);
  for (const auto id : first)
    client.send_body(id, "", true);
  REQUIRE(client.round_trip());
  REQUIRE(client.round_trip());
  for (const auto id : later)
    CHECK(client.body_sent(id) <= kBody / 4);

  answer_now.set_value();
  for (const auto& ids : {first, later}) {
    for (const auto id : ids)
      CHECK(client.wait_for(id).body == std::to_string(kBody));
  }
  CHECK(agent.sink().wait_for(12).size() == 12);
}

TEST_CASE("HTTP/2: what many streams have sent is bounded while they wait for memory") {
  constexpr std::size_t kBody = 90'000, kStreams = 90;
  ScriptedUpstream upstream(ScriptedUpstream::answering([](const UpstreamRequest& request) {
    return json_response(std::to_string(request.body.size()));
  }));
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.max_request_bytes = 100'000;  // of which four fit the memory for bodies
  AgentFixture agent(configuration);
  std::vector<LoopbackSocket> holders;
  for (int number = 0; number < 4; ++number) {
    holders.push_back(agent.connect());
    holders.back().send("POST " + std::string(kConverse) +
                        " HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" +
                        std::string(kBody, 'x'));
  }
  while (agent.body_bytes() < 400'000) {
  }
  Http2Client client(agent.port());
  REQUIRE(client.round_trip());
  std::vector<std::int32_t> ids;
  for (std::size_t number = 0; number < kStreams; ++number)
    ids.push_back(client.post(kConverse, std::string(kBody, 'x')));
  for (int round = 0; round < 8; ++round)
    REQUIRE(client.round_trip());
  std::size_t sent = 0;
  for (const auto id : ids)
    sent += client.body_sent(id);
  CHECK(sent < kBody * kStreams / 2);
  holders.clear();
  for (const auto id : ids)
    CHECK(client.wait_for(id).body == std::to_string(kBody));
}

TEST_CASE("HTTP/2: a request over max_request_bytes is answered 413, the connection goes on") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.max_request_bytes = 1000;
  AgentFixture agent(configuration);
  Http2Client client(agent.port());

  SECTION("by its announced length, before it is sent") {
    const HeaderList asks{{"content-length", "1001"}, {"expect", "100-continue"}};
    const auto id = client.post(kConverse, "", asks, false);
    const Http2Client::Stream& answer = client.stream(id);
    CHECK(client.run_until([&] { return answer.ended; }));
    CHECK(answer.status == 413);
    CHECK(answer.header("x-amzn-errortype") == "RequestEntityTooLargeException");
    CHECK(answer.body.find("{\"message\":\"") == 0);
  }
  SECTION("when a body without a length grows over it") {
    const auto id = client.post(kConverse, std::string(600, 'x'), {}, false);
    REQUIRE(client.round_trip());
    client.send_body(id, std::string(600, 'x'), false);
    CHECK(client.run_until([&] { return client.stream(id).ended; }));
    CHECK(client.stream(id).status == 413);
  }
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].status == 413);
  CHECK(records[0].outcome == "error");
  CHECK(upstream.connections() == 0);
  const auto id = client.post(kConverse, "{}");
  CHECK(client.wait_for(id).body == "{}");
}

TEST_CASE("HTTP/2: a refusal that waits for the rest of its body holds no other stream up") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.max_request_bytes = 1000;
  AgentFixture agent(configuration);
  Http2Client client(agent.port());
  const auto refused = client.post(kConverse, "", {{"content-length", "1001"}}, false);
  CHECK(client.wait_for(client.post(kConverse, "{}")).body == "{}");
  client.send_body(refused, std::string(1001, 'x'), true);
  const Http2Client::Stream& answer = client.wait_for(refused);
  CHECK(answer.status == 413);
  CHECK(answer.ended);
  CHECK_FALSE(answer.reset_code.has_value());

  // As if it had been answered at once.
  const auto records = agent.sink().wait_for(2);
  const auto record = std::find_if(records.begin(), records.end(),
                                   [](const auto& one) { return one.status == 413; });
  REQUIRE(record != records.end());
  CHECK(record->outcome == "error");
  CHECK(record->request.bytes.empty());
  CHECK(record->request.truncated);
  CHECK(record->response.bytes == answer.body);
}

TEST_CASE("HTTP/2: what is sent of refused bodies does not use the connection's window up") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.max_request_bytes = 1000;
  AgentFixture agent(configuration);
  Http2Client client(agent.port());
  REQUIRE(client.round_trip());
  // More than the windows of a stream and of the connection.
  const std::string body(2 * kMebibyte, 'x');
  for (int number = 0; number < 8; ++number) {
    const auto id = client.request("POST", kConverse, body);
    const Http2Client::Stream& answer = client.wait_for(id);
    CHECK(answer.status == 413);
    // It gets to send all of it.
    CHECK_FALSE(answer.reset_code.has_value());
    CHECK(client.body_sent(id) == body.size());
  }
  CHECK(client.wait_for(client.post(kConverse, "{}")).body == "{}");
}

}  // namespace invlog::test
