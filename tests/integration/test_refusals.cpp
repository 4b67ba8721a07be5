// What the agent answers itself: AWS-shaped errors, and a record of each where there was an
// invocation.
#include "tests/catch.h"
#include "tests/integration/agent_fixture.h"
#include "tests/integration/scripted_upstream.h"

namespace invlog::test {

TEST_CASE("A request over max_request_bytes is answered 413 before it is read") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.max_request_bytes = 1000;
  AgentFixture agent(configuration);

  SECTION("by its announced length") {
    LoopbackSocket client = agent.connect();
    client.send("POST " + std::string(kConverse) +
                " HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n");
    const HttpResponse response = read_response(client);
    CHECK(response.status == 413);
    CHECK(response.header("x-amzn-ErrorType"));
    CHECK(response.body.find("{\"message\":\"") == 0);
    CHECK(client.sees_end());
  }
  SECTION("when a chunked body grows over it") {
    LoopbackSocket client = agent.connect();
    client.send("POST " + std::string(kConverse) +
                " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" +
                std::string(1001, 'x') + "\r\n");
    CHECK(read_response(client).status == 413);
  }
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "error");
  CHECK(records[0].status == 413);
  CHECK(upstream.connections() == 0);
}

TEST_CASE("A client that sends all of a body over max_request_bytes reads the answer after that") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.max_request_bytes = 1 << 20;
  AgentFixture agent(configuration);
  LoopbackSocket client = agent.connect();
  // More than the kernel takes of what nobody reads.
  CHECK(client.send(post(kConverse, std::string(20'000'000, 'x'))));
  CHECK(read_response(client).status == 413);
}

TEST_CASE("Malformed requests are answered 400 in AWS's shape, and the connection closes") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  for (const std::string bytes :
       {"GARBAGE\r\n\r\n", "GET / HTTP/1.1\r\nBad Header: x\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "GET / HTTP/3.0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    INFO(bytes);
    LoopbackSocket client = agent.connect();
    client.send(bytes);
    const HttpResponse response = read_response(client);
    CHECK(response.status == 400);
    CHECK(response.header("x-amzn-ErrorType") == "ValidationException");
    CHECK(client.sees_end());
  }
  LoopbackSocket client = agent.connect();
  client.send("GET / HTTP/1.1\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n");
  CHECK(read_response(client).status == 400);
  CHECK(upstream.connections() == 0);
}

TEST_CASE("A target that is no path goes nowhere: nobody would have judged or recorded it") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  for (const std::string target :
       {"https://bedrock-runtime.eu-central-1.amazonaws.com/model/m/converse",
        "ftp://x/model/m/converse", "model/m/converse", "*"}) {
    INFO(target);
    LoopbackSocket client = agent.connect();
    client.send(post(target, "{}"));
    const HttpResponse response = read_response(client);
    CHECK(response.status == 400);
    CHECK(response.header("x-amzn-ErrorType") == "ValidationException");
  }
  CHECK(upstream.connections() == 0);
}

TEST_CASE("No credential and no bearer key is an AWS-shaped 403 that says what to do") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  AgentFixture agent(AgentFixture::configuration(upstream.url()), false);
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  const HttpResponse response = read_response(client);
  CHECK(response.status == 403);
  CHECK(response.header("x-amzn-ErrorType") == "AccessDeniedException");
  CHECK(response.body.find("AWS_ACCESS_KEY_ID") != std::string::npos);
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "denied");
  CHECK(upstream.connections() == 0);
  CHECK(agent.statistics().denied == 1);
}

TEST_CASE("A bearer request passes untouched and is never signed") {
  std::string head;
  ScriptedUpstream upstream(ScriptedUpstream::answering([&](const UpstreamRequest& request) {
    head = request.head;
    return json_response("{}");
  }));
  const bool with_credentials = GENERATE(true, false);
  AgentFixture agent(AgentFixture::configuration(upstream.url()), with_credentials);
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}", "Authorization: Bearer bedrock-api-key-abc\r\n"));
  CHECK(read_response(client).status == 200);
  CHECK(head.find("\r\nAuthorization: Bearer bedrock-api-key-abc\r\n") != std::string::npos);
  CHECK(head.find("X-Amz-") == std::string::npos);
  CHECK(head.find("AKIDEXAMPLE") == std::string::npos);
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "complete");
}

TEST_CASE("CONNECT is refused with what to do instead, and never goes upstream") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  client.send("CONNECT bedrock.test:443 HTTP/1.1\r\nHost: bedrock.test:443\r\n\r\n");
  const HttpResponse response = read_response(client);
  CHECK(response.status == 405);
  CHECK(response.body.find("AWS_ENDPOINT_URL_BEDROCK_RUNTIME") != std::string::npos);
  CHECK(upstream.connections() == 0);
  CHECK(agent.statistics().denied == 1);
  CHECK(agent.statistics().passed_through == 0);
}

}  // namespace invlog::test
