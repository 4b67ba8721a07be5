// What goes through over HTTP/2 with prior knowledge: many calls on one connection, each with its
// own bytes, headers and record.
#include <array>
#include <future>

#include "tests/catch.h"
#include "tests/integration/agent_fixture.h"
#include "tests/integration/http2_client.h"
#include "tests/integration/scripted_upstream.h"

namespace invlog::test {

TEST_CASE("HTTP/2: a call passes and becomes a record") {
  std::promise<UpstreamRequest> seen;
  ScriptedUpstream upstream(ScriptedUpstream::answering([&](const UpstreamRequest& request) {
    seen.set_value(request);
    return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Custom-Case: A b\r\n"
           "Connection: X-Hop\r\nX-Hop: 1\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
  }));
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  Http2Client client(agent.port());
  const auto id = client.post(kConverse, R"({"messages":[]})",
                              {{"amz-sdk-invocation-id", "6f1c"},
                               {"te", "trailers"},
                               {"authorization", "AWS4-HMAC-SHA256 Credential=CLIENTKEY/x"}});
  const Http2Client::Stream& answer = client.wait_for(id);
  CHECK(answer.status == 200);
  CHECK(answer.ended);
  CHECK_FALSE(answer.reset_code);
  CHECK(answer.body == "{\"a\":1}");
  CHECK(answer.header("x-custom-case") == "A b");
  CHECK_FALSE(answer.header("x-hop"));
  CHECK_FALSE(answer.header("connection"));

  const UpstreamRequest request = seen.get_future().get();
  CHECK(request.line() == "POST " + std::string(kConverse) + " HTTP/1.1");
  CHECK(request.body == R"({"messages":[]})");
  CHECK(request.header("Host") == "127.0.0.1:" + std::to_string(upstream.port()));
  CHECK(request.header("amz-sdk-invocation-id") == "6f1c");
  CHECK_FALSE(request.header("te"));
  CHECK(request.head.find("\r\n:") == std::string::npos);
  CHECK(request.head.find("CLIENTKEY") == std::string::npos);
  CHECK(request.header("Authorization").value_or("").find("Credential=AKIDEXAMPLE/") !=
        std::string::npos);

  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].operation == "Converse");
  CHECK(records[0].outcome == "complete");
  CHECK(records[0].sdk_invocation_id == "6f1c");
  CHECK(records[0].request.bytes == R"({"messages":[]})");
  CHECK(records[0].response.bytes == "{\"a\":1}");
}

TEST_CASE("HTTP/2: a response's head passes however many fields it has") {
  // Of nearly the 64 KiB that the agent takes of an upstream.
  const std::pair<int, std::string> cases[] = {
      {4'700, "a: b\r\n"}, {13'000, "a:b\r\n"}, {16'000, "a:\r\n"}};
  for (const auto& [count, field] : cases) {
    CAPTURE(count);
    std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n";
    for (int each = 0; each < count; ++each)
      head += field;
    ScriptedUpstream upstream(
        ScriptedUpstream::answering([&](const UpstreamRequest&) { return head + "\r\n{}"; }));
    AgentFixture agent(AgentFixture::configuration(upstream.url()));
    Http2Client client(agent.port());
    const Http2Client::Stream& answer = client.wait_for(client.post(kConverse, "{}"));
    CHECK(answer.status == 200);
    CHECK(answer.body == "{}");
    CHECK(answer.headers.size() >= static_cast<std::size_t>(count));
    const auto records = agent.sink().wait_for(1);
    REQUIRE(records.size() == 1);
    CHECK(records[0].outcome == "complete");
  }
}

TEST_CASE("HTTP/2: streams are answered in the upstream's order, not in the client's") {
  std::array<std::promise<void>, 3> answer_now;
  std::array<std::future<void>, 3> waits;
  for (std::size_t number = 0; number < 3; ++number)
    waits[number] = answer_now[number].get_future();
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int) {
    const UpstreamRequest request = read_request(connection);
    if (request.body.size() != 1)
      return;
    waits[static_cast<std::size_t>(request.body[0] - '0')].wait();
    connection.send(json_response("answer " + request.body));
    read_request(connection);
  });
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  Http2Client client(agent.port());
  std::array<std::int32_t, 3> ids;
  for (std::size_t number = 0; number < 3; ++number)
    ids[number] = client.post(kConverse, std::to_string(number));
  for (const std::size_t number : {2u, 0u, 1u}) {
    answer_now[number].set_value();
    const Http2Client::Stream& answer = client.wait_for(ids[number]);
    CHECK(answer.status == 200);
    CHECK(answer.body == "answer " + std::to_string(number));
  }
  const auto records = agent.sink().wait_for(3);
  REQUIRE(records.size() == 3);
  CHECK(records[0].response.bytes == "answer 2");
  CHECK(records[1].response.bytes == "answer 0");
  CHECK(records[2].response.bytes == "answer 1");
  CHECK(upstream.connections() == 3);
}

TEST_CASE("HTTP/2: more streams at a time than the agent allows wait their turn, none is lost") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  Http2Client client(agent.port());
  REQUIRE(client.round_trip());  // SETTINGS are known
  std::vector<std::int32_t> ids;
  for (int number = 0; number < 400; ++number)
    ids.push_back(client.post(kConverse, std::to_string(number)));
  for (int number = 0; number < 400; ++number) {
    const Http2Client::Stream& answer = client.wait_for(ids[static_cast<std::size_t>(number)]);
    REQUIRE(answer.status == 200);
    REQUIRE(answer.body == std::to_string(number));
  }
  CHECK(agent.sink().wait_for(400).size() == 400);
}

TEST_CASE("HTTP/2: no chunk of a stream waits for the next, and trailers follow the last") {
  std::array<std::promise<void>, 3> seen;
  std::array<std::future<void>, 3> waits{seen[0].get_future(), seen[1].get_future(),
                                         seen[2].get_future()};
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int) {
    read_request(connection);
    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n");
    waits[0].wait();
    connection.send("5\r\nfirst\r\n");
    waits[1].wait();
    connection.send("6\r\nsecond\r\n");
    waits[2].wait();
    connection.send("0\r\nX-Sum: 7\r\n\r\n");
    read_request(connection);
  });
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  Http2Client client(agent.port());
  const auto id = client.post("/model/m/converse-stream", "{}");
  CHECK(client.run_until([&] { return client.stream(id).status == 200; }));
  seen[0].set_value();
  CHECK(client.wait_for_body(id, 5));
  seen[1].set_value();
  CHECK(client.wait_for_body(id, 11));
  CHECK_FALSE(client.stream(id).ended);
  seen[2].set_value();
  const Http2Client::Stream& answer = client.wait_for(id);
  CHECK(answer.body == "firstsecond");
  CHECK(answer.ended);
  CHECK(answer.trailers == HeaderList{{"x-sum", "7"}});
  CHECK_FALSE(answer.header("transfer-encoding"));
}

TEST_CASE("HTTP/2: a request in pieces, without a length and with trailers, arrives whole") {
  std::promise<UpstreamRequest> seen;
  ScriptedUpstream upstream(ScriptedUpstream::answering([&](const UpstreamRequest& request) {
    seen.set_value(request);
    return json_response("{}");
  }));
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  Http2Client client(agent.port());
  const auto id = client.post(kConverse, "{\"mes", {}, false);
  REQUIRE(client.round_trip());
  CHECK(upstream.connections() == 0);
  client.send_body(id, "sages\":", false);
  REQUIRE(client.round_trip());
  client.send_body(id, "null}", true, {{"x-client-trailer", "1"}});
  CHECK(client.wait_for(id).status == 200);
  const UpstreamRequest request = seen.get_future().get();
  CHECK(request.body == "{\"messages\":null}");
  CHECK(request.header("Content-Length") == "17");
  CHECK(request.head.find("trailer") == std::string::npos);
}

TEST_CASE("HTTP/2: Expect: 100-continue is answered before the body is sent, and not passed on") {
  std::promise<UpstreamRequest> seen;
  ScriptedUpstream upstream(ScriptedUpstream::answering([&](const UpstreamRequest& request) {
    seen.set_value(request);
    return json_response("{}");
  }));
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  Http2Client client(agent.port());
  const auto id =
      client.post(kConverse, "", {{"expect", "100-continue"}, {"content-length", "2"}}, false);
  CHECK(client.run_until([&] { return client.stream(id).continued; }));
  client.send_body(id, "{}", true);
  CHECK(client.wait_for(id).status == 200);
  CHECK_FALSE(seen.get_future().get().header("expect"));
}

TEST_CASE("HTTP/2: a large body goes both ways unchanged") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  std::string body(3'000'000, '\0');
  for (std::size_t at = 0; at < body.size(); ++at)
    body[at] = static_cast<char>(at * 7919 >> 5);
  Http2Client client(agent.port());
  const auto id = client.post(kConverse, body);
  CHECK(client.wait_for(id).body == body);
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].request.bytes == body);
  CHECK(records[0].response.bytes == body);
}

TEST_CASE("HTTP/2: HEAD, 204, 304 and other paths pass and are counted") {
  ScriptedUpstream upstream(
      ScriptedUpstream::answering([](const UpstreamRequest& request) -> std::string {
        if (request.line().find("/304") != std::string::npos)
          return "HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\n\r\n";
        if (request.line().find("/204") != std::string::npos)
          return "HTTP/1.1 204 No Content\r\n\r\n";
        if (request.line().find("HEAD ") == 0)
          return "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n";
        return json_response("{\"guardrails\":[]}");
      }));
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  Http2Client client(agent.port());
  const Http2Client::Stream& head = client.wait_for(client.request("HEAD", "/200", ""));
  CHECK(head.status == 200);
  CHECK(head.header("content-length") == "12");
  CHECK(head.ended);
  CHECK(head.body.empty());
  CHECK(client.wait_for(client.request("GET", "/304", "")).status == 304);
  CHECK(client.wait_for(client.request("GET", "/204", "")).status == 204);
  CHECK(client.wait_for(client.request("GET", "/guardrails?maxResults=1", "")).body ==
        "{\"guardrails\":[]}");
  CHECK(agent.statistics().passed_through == 4);
  CHECK(agent.statistics().calls == 4);
  CHECK(agent.sink().records() == 0);
}

TEST_CASE("HTTP/2 and HTTP/1.1 are told apart on one port, however the preface is cut") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket socket = agent.connect();
  // Each piece has arrived alone before the next is sent only if the agent was fast; all cuts are
  // good.
  for (const char byte : http2_opening())
    socket.send({&byte, 1});
  socket.send(http2_frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1,
                          hpack(http2_post_headers("/model/m/converse"))));
  std::string bytes;
  // The first frame from a server is its SETTINGS (RFC 9113 §3.4): length 18, type 4.
  bytes = socket.read_exactly(9);
  REQUIRE(bytes.size() == 9);
  CHECK(bytes[3] == NGHTTP2_SETTINGS);
  CHECK(agent.sink().wait_for(1).size() == 1);
  LoopbackSocket other = agent.connect();
  other.send(post(kConverse, "{}"));
  CHECK(read_response(other).status == 200);
}

TEST_CASE("HTTP/2: without credentials a call is an AWS-shaped 403, unless it brings a key") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  AgentFixture agent(AgentFixture::configuration(upstream.url()), false);
  Http2Client client(agent.port());
  const Http2Client::Stream& refused = client.wait_for(client.post(kConverse, "{}"));
  CHECK(refused.status == 403);
  CHECK(refused.header("x-amzn-errortype") == "AccessDeniedException");
  CHECK(refused.header("content-length") == std::to_string(refused.body.size()));
  CHECK(upstream.connections() == 0);
  const auto id = client.post(kConverse, "{}", {{"authorization", "Bearer key"}});
  CHECK(client.wait_for(id).status == 200);
  CHECK(agent.sink().wait_for(2).size() == 2);
}

TEST_CASE("HTTP/2, strict: the end of a stream waits for its commit, other streams do not") {
  FakeSink* sink = nullptr;
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int) {
    for (;;) {
      const UpstreamRequest request = read_request(connection);
      if (!request.complete)
        return;
      if (request.body == "held")
        sink->hold_commits();
      connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
      connection.send("0\r\n\r\n");
    }
  });
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.durability = config::Durability::strict;
  AgentFixture agent(configuration);
  sink = &agent.sink();
  Http2Client client(agent.port());
  const auto id = client.post(kConverse, "held");
  while (sink->commits_waiting() == 0)
    std::this_thread::yield();
  CHECK(client.wait_for(client.request("GET", "/other", "")).status == 200);
  CHECK_FALSE(client.stream(id).ended);
  sink->release_commits();
  const Http2Client::Stream& answer = client.wait_for(id);
  CHECK(answer.ended);
  CHECK(answer.body == "hello");
}

}  // namespace invlog::test
