// What goes through over HTTP/1.1: bytes, headers and framing unchanged, one request after another,
// and a record each.
#include <future>

#include "tests/catch.h"
#include "tests/integration/agent_fixture.h"
#include "tests/integration/scripted_upstream.h"

namespace invlog::test {
namespace {

const std::string kAnswer =
    R"({"metrics":{"latencyMs":5},"output":{"message":{"content":[{"text":"hi"}],)"
    R"("role":"assistant"}},"stopReason":"end_turn","usage":{"inputTokens":3,)"
    R"("outputTokens":2,"totalTokens":5}})";

}  // namespace

TEST_CASE("A converse call passes and becomes a record") {
  std::promise<UpstreamRequest> seen;
  ScriptedUpstream upstream(ScriptedUpstream::answering([&](const UpstreamRequest& request) {
    seen.set_value(request);
    return json_response(kAnswer);
  }));
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  const std::string body = R"({"messages":[{"role":"user","content":[{"text":"hello"}]}]})";
  client.send(
      post(kConverse, body,
           "amz-sdk-invocation-id: 6f1c\r\nX-Custom-Case: A b\r\nAuthorization: AWS4-HMAC-SHA256 "
           "Credential=CLIENTKEY/x, Signature=clientsignature\r\nX-Amz-Date: 20200101T000000Z\r\n"
           "x-amz-security-token: clienttoken\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n"));
  const HttpResponse response = read_response(client);
  CHECK(response.status == 200);
  CHECK(response.body == kAnswer);
  CHECK(response.header("x-amzn-RequestId") == "11111111-2222-3333-4444-555555555555");

  const UpstreamRequest request = seen.get_future().get();
  CHECK(request.line() == "POST " + std::string(kConverse) + " HTTP/1.1");
  CHECK(request.body == body);
  CHECK(request.header("Host") == "127.0.0.1:" + std::to_string(upstream.port()));
  CHECK(request.header("X-Custom-Case") == "A b");
  CHECK(request.header("amz-sdk-invocation-id") == "6f1c");
  CHECK_FALSE(request.header("X-Hop"));
  CHECK_FALSE(request.header("Connection"));
  const std::string authorization = request.header("Authorization").value_or("");
  CHECK(authorization.find("Credential=AKIDEXAMPLE/") != std::string::npos);
  CHECK(authorization.find("/eu-central-1/bedrock/aws4_request") != std::string::npos);
  CHECK(request.header("X-Amz-Security-Token") == "session-token");
  CHECK(request.head.find("client") == std::string::npos);

  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].operation == "Converse");
  CHECK(records[0].model_id == "eu.amazon.nova-2-lite-v1:0");
  CHECK(records[0].outcome == "complete");
  CHECK(records[0].status == 200);
  CHECK(records[0].input_tokens == 3);
  CHECK(records[0].sdk_invocation_id == "6f1c");
  CHECK(records[0].request.bytes == body);
  CHECK(records[0].response.bytes == kAnswer);
}

TEST_CASE("Query, raw colon, encoded ARN and UTF-8 in the target reach the upstream as they came") {
  std::string line;
  ScriptedUpstream upstream(ScriptedUpstream::answering([&](const UpstreamRequest& request) {
    line = request.line();
    return json_response("{}");
  }));
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  for (const std::string target :
       {"/model/eu.anthropic.claude-haiku-4-5-20251001-v1:0/invoke?a=1&b=%20",
        "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A123%3Ainference-profile%2Feu.x/converse",
        "/model/\xc3\xa4%7e/invoke", "//double/./dots/../x?"}) {
    client.send(post(target, "{}"));
    CHECK(read_response(client).status == 200);
    CHECK(line == "POST " + target + " HTTP/1.1");
  }
}

TEST_CASE("Pipelined requests are answered in order, on one connection") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  std::string all;
  for (int number = 0; number < 50; ++number) {
    all += post(kConverse, R"({"number":)" + std::to_string(number) + "}");
  }
  client.send(all);
  for (int number = 0; number < 50; ++number) {
    CHECK(read_response(client).body == R"({"number":)" + std::to_string(number) + "}");
  }
  CHECK(agent.sink().wait_for(50).size() == 50);
  CHECK(upstream.connections() == 1);
}

TEST_CASE("A pipelined request whose body comes later gets its own bytes") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  const std::string second(3000, 'b');
  const std::string both = post(kConverse, R"({"number":1})") + post(kConverse, second);
  const std::size_t cut = both.size() - second.size();
  client.send(both.substr(0, cut));
  CHECK(read_response(client).body == R"({"number":1})");
  client.send(both.substr(cut, 1000));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  client.send(both.substr(cut + 1000) + post(kConverse, "{}"));
  CHECK(read_response(client).body == second);
  CHECK(read_response(client).body == "{}");
  CHECK(agent.sink().wait_for(3).at(1).request.bytes == second);
}

TEST_CASE("Chunked bodies pass both ways, with trailers") {
  std::promise<UpstreamRequest> seen;
  ScriptedUpstream upstream(ScriptedUpstream::answering([&](const UpstreamRequest& request) {
    seen.set_value(request);
    return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: "
           "chunked\r\nTrailer: "
           "X-Sum\r\n\r\n4;ext=1\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\nX-Sum: 7\r\n\r\n";
  }));
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  client.send("POST " + std::string(kConverse) +
              " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"mes\r\n");
  client.send("c\r\nsages\":null}\r\n0\r\nX-Client-Trailer: 1\r\n\r\n");
  const HttpResponse response = read_response(client);
  CHECK(response.complete);
  CHECK(response.body == "{\"a\":1}");
  CHECK(response.trailers == "X-Sum: 7\r\n");
  const UpstreamRequest request = seen.get_future().get();
  CHECK(request.body == "{\"messages\":null}");
  CHECK(request.header("Content-Length") == "17");
  CHECK_FALSE(request.header("Transfer-Encoding"));
  CHECK(agent.sink().wait_for(1).at(0).response.bytes == "{\"a\":1}");
}

TEST_CASE("Expect: 100-continue is answered before the body is sent, and not passed on") {
  std::promise<UpstreamRequest> seen;
  ScriptedUpstream upstream(ScriptedUpstream::answering([&](const UpstreamRequest& request) {
    seen.set_value(request);
    return json_response("{}");
  }));
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  client.send("POST " + std::string(kConverse) +
              " HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  CHECK(client.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("{}");
  CHECK(read_response(client).status == 200);
  CHECK_FALSE(seen.get_future().get().header("Expect"));
}

TEST_CASE("A large body goes both ways unchanged") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  std::string body(3'000'000, '\0');
  for (std::size_t at = 0; at < body.size(); ++at)
    body[at] = static_cast<char>(at * 7919 >> 5);
  std::thread sender([&] { client.send(post(kConverse, body)); });
  const HttpResponse response = read_response(client);
  sender.join();
  CHECK(response.body == body);
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].request.bytes == body);
  CHECK(records[0].response.bytes == body);
}

TEST_CASE("HEAD, 204 and 304 have no body, and the connection goes on") {
  ScriptedUpstream upstream(
      ScriptedUpstream::answering([](const UpstreamRequest& request) -> std::string {
        if (request.line().find("/304") != std::string::npos) {
          return "HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\n\r\n";
        }
        if (request.line().find("/204") != std::string::npos) {
          return "HTTP/1.1 204 No Content\r\n\r\n";
        }
        return "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n";
      }));
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  client.send("HEAD /200 HTTP/1.1\r\nHost: x\r\n\r\n");
  const HttpResponse head = read_response(client, true);
  CHECK(head.status == 200);
  CHECK(head.header("Content-Length") == "12");
  client.send("GET /304 HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(read_response(client).status == 304);
  client.send("GET /204 HTTP/1.1\r\nHost: x\r\n\r\n");
  const HttpResponse none = read_response(client);
  CHECK(none.status == 204);
  CHECK_FALSE(none.header("Transfer-Encoding"));
  CHECK_FALSE(none.header("Content-Length"));
  CHECK(agent.statistics().passed_through == 3);
  CHECK(upstream.connections() == 1);
  CHECK(agent.sink().records() == 0);
}

TEST_CASE("A response that ends with its connection is passed on chunked") {
  ScriptedUpstream upstream([](LoopbackSocket& connection, int) {
    read_request(connection);
    connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end");
  });
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  const HttpResponse response = read_response(client);
  CHECK(response.complete);
  CHECK(response.header("Transfer-Encoding") == "chunked");
  CHECK(response.body == "until the end");
}

TEST_CASE("An HTTP/1.0 client gets no chunks and an end by closing") {
  ScriptedUpstream upstream(ScriptedUpstream::answering([](const UpstreamRequest&) {
    return std::string(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  }));
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  client.send("GET /x HTTP/1.0\r\n\r\n");
  const HttpResponse response = read_response(client);
  CHECK_FALSE(response.header("Transfer-Encoding"));
  CHECK(response.body == "hello");
}

TEST_CASE("No chunk of a stream waits for the next") {
  // The upstream sends the next piece only after the client has seen the one before.
  std::promise<void> seen[3];
  std::future<void> waits[3] = {seen[0].get_future(), seen[1].get_future(), seen[2].get_future()};
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int) {
    read_request(connection);
    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    waits[0].wait();
    connection.send("5\r\nfirst\r\n");
    waits[1].wait();
    connection.send("6\r\nsecond\r\n");
    waits[2].wait();
    connection.send("0\r\n\r\n");
    read_request(connection);
  });
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  client.send(post("/model/m/converse-stream", "{}"));
  const std::string head = client.read_until("\r\n\r\n");
  CHECK(head.find("HTTP/1.1 200 OK") == 0);
  seen[0].set_value();
  CHECK(client.read_until("first\r\n") == "5\r\nfirst\r\n");
  seen[1].set_value();
  CHECK(client.read_until("second\r\n") == "6\r\nsecond\r\n");
  seen[2].set_value();
  CHECK(client.read_until("0\r\n\r\n") == "0\r\n\r\n");
}

TEST_CASE("The same call works over a Unix socket, and the record names the caller") {
  ScriptedUpstream upstream(
      ScriptedUpstream::answering([](const UpstreamRequest&) { return json_response("{}"); }));
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.listen_socket = "/tmp/invlog-test-" + std::to_string(::getpid()) + ".sock";
  AgentFixture agent(configuration);
  LoopbackSocket client = LoopbackSocket::connect_unix(configuration.listen_socket);
  client.send(post(kConverse, "{}"));
  CHECK(read_response(client).status == 200);
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].caller_pid == ::getpid());
  CHECK(records[0].caller_executable.find("integration") != std::string::npos);
  CHECK_FALSE(records[0].caller.empty());
}

}  // namespace invlog::test
