// Bedrock's answer to a signature that it does not accept repeats the request, with the session
// token that it was signed with: neither the record nor, where that token is the agent's, the
// client gets it.
#include <cstdio>
#include <future>

#include "tests/catch.h"
#include "tests/contains.h"
#include "tests/integration/agent_fixture.h"
#include "tests/integration/http2_client.h"
#include "tests/integration/scripted_upstream.h"
#include "tests/unit/agent/bedrock/compressed.h"

namespace invlog::test {
namespace {

using tests::contains;

constexpr const char* kAgentsToken = "session-token";  // AgentFixture's
const std::string kMismatch = R"({"message":"It does not match.\n\n)";
const std::string kPassed =
    kMismatch + R"([invlog left out the request that the service repeated here]","more":1})";

std::string mismatch_with(const std::string& token) {
  return kMismatch + R"(The Canonical String for this request should have been\n'POST\n/\n\n)" +
         "x-amz-security-token:" + token + R"(\n'","more":1})";
}

std::string mismatch_for(const UpstreamRequest& request) {
  return mismatch_with(request.header("X-Amz-Security-Token").value_or("none"));
}

using Framed = std::string (*)(std::string_view body);

std::string in_two_chunks(std::string_view body) {
  const auto chunk = [](std::string_view part) {
    char size[20];
    std::snprintf(size, sizeof size, "%zx\r\n", part.size());
    return size + std::string(part) + "\r\n";
  };
  return "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nTransfer-Encoding: "
         "chunked\r\n\r\n" +
         chunk(body.substr(0, 130)) + chunk(body.substr(130)) + "0\r\n\r\n";
}

std::string gzipped(std::string_view body) {
  const std::string coded = tests::gzip(body);
  return "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
         "Content-Length: " +
         std::to_string(coded.size()) + "\r\n\r\n" + coded;
}

std::string with_length(std::string_view body) {
  return json_response(body, 403);
}

}  // namespace

TEST_CASE("What the agent signed with reaches neither the client nor the record") {
  const Framed framed = GENERATE(Framed(with_length), Framed(in_two_chunks), Framed(gzipped));
  const std::string target = GENERATE(std::string(kConverse), std::string("/no/invocation"));
  ScriptedUpstream upstream(ScriptedUpstream::answering(
      [framed](const UpstreamRequest& request) { return framed(mismatch_for(request)); }));
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  for (int call = 0; call < 2; ++call) {  // the second finds the first one's end
    client.send(post(target, "{}"));
    const HttpResponse response = read_response(client);
    CHECK(response.status == 403);
    CHECK(response.complete);
    CHECK(response.body == kPassed);
    CHECK_FALSE(response.header("Content-Encoding"));
  }
  if (target == kConverse) {
    const storage::Record record = agent.sink().wait_for(2).at(0);
    CHECK(record.response.bytes == kPassed);
    CHECK(contains(record.details, "\"responseCut\""));
  }
}

TEST_CASE("HTTP/2: an answer without what the agent signed with has the length it says") {
  ScriptedUpstream upstream(ScriptedUpstream::answering(
      [](const UpstreamRequest& request) { return with_length(mismatch_for(request)); }));
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  Http2Client client(agent.port());
  const Http2Client::Stream& stream = client.wait_for(client.post(kConverse, "{}"));
  CHECK(stream.status == 403);
  CHECK(stream.ended);
  CHECK(stream.body == kPassed);
  CHECK(stream.header("content-length") == std::to_string(kPassed.size()));
}

TEST_CASE("Who brought the credentials gets the answer as it came; its record has none of them") {
  ScriptedUpstream upstream(ScriptedUpstream::answering(
      [](const UpstreamRequest& request) { return with_length(mismatch_for(request)); }));
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}",
                   "Authorization: Bearer key\r\nX-Amz-Security-Token: the-clients-own\r\n"));
  CHECK(read_response(client).body == mismatch_with("the-clients-own"));
  CHECK(agent.sink().wait_for(1).at(0).response.bytes == kPassed);
}

TEST_CASE("A refusal that ends before its end has no credential in it either") {
  ScriptedUpstream upstream([](LoopbackSocket& connection, int) {
    const std::string whole = with_length(mismatch_for(read_request(connection)));
    connection.send(std::string_view(whole).substr(0, whole.size() - 10));
  });
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  const HttpResponse response = read_response(client);
  CHECK(response.status == 403);
  CHECK_FALSE(response.complete);
  CHECK(!contains(response.body, kAgentsToken));
  const storage::Record record = agent.sink().wait_for(1).at(0);
  CHECK(record.outcome == "upstream-closed");
  CHECK(record.response.bytes.starts_with(kMismatch));
  CHECK(!contains(record.response.bytes, kAgentsToken));
}

TEST_CASE("A refusal that is longer than any error passes while it comes") {
  const std::string first(70'000, 'a'), second(10'000, 'b');
  std::promise<void> seen;
  ScriptedUpstream upstream([&](LoopbackSocket& connection, int) {
    read_request(connection);
    connection.send("HTTP/1.1 404 Not Found\r\nContent-Length: 80000\r\n\r\n" + first);
    seen.get_future().wait();
    connection.send(second);
  });
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  CHECK(contains(client.read_until("\r\n\r\n"), "Content-Length: 80000\r\n"));
  CHECK(client.read_exactly(first.size()) == first);
  seen.set_value();
  CHECK(client.read_exactly(second.size()) == second);
}

}  // namespace invlog::test
