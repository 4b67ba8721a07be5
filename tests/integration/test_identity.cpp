// Whose name stands in a record.
#include <future>

#include "tests/catch.h"
#include "tests/integration/agent_fixture.h"
#include "tests/integration/scripted_upstream.h"

namespace invlog::test {
namespace {

constexpr const char* kLearned = "arn:aws:sts::123456789012:assumed-role/web/i-0123";
constexpr const char* kKey = "AKIDEXAMPLE";  // AgentFixture's

std::string identity_of_the_record(AgentFixture& agent, std::string_view more_headers) {
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}", more_headers));
  REQUIRE(read_response(client).status == 200);
  return agent.sink().wait_for(1).at(0).identity_arn;
}

ScriptedUpstream::Script empty_answer() {
  return ScriptedUpstream::answering([](const UpstreamRequest&) { return json_response("{}"); });
}

}  // namespace

TEST_CASE("A call signed by the agent has the identity that STS named") {
  ScriptedUpstream upstream(empty_answer());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  agent.set_signing_identity({kKey, kLearned});
  CHECK(identity_of_the_record(agent, "") == kLearned);
}

TEST_CASE("A call with a bearer key is not the agent's, and gets no identity from it") {
  ScriptedUpstream upstream(empty_answer());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  agent.set_signing_identity({kKey, kLearned});
  CHECK(identity_of_the_record(agent, "Authorization: Bearer key-of-the-application\r\n").empty());
}

TEST_CASE("Nor does a call with a bearer key have the identity that is configured") {
  ScriptedUpstream upstream(empty_answer());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.identity_arn = "arn:aws:iam::123456789012:user/configured";
  AgentFixture agent(configuration);
  CHECK(identity_of_the_record(agent, "Authorization: Bearer key-of-the-application\r\n").empty());
}

TEST_CASE("A configured identity comes before the one that STS named") {
  ScriptedUpstream upstream(empty_answer());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.identity_arn = "arn:aws:iam::123456789012:user/configured";
  AgentFixture agent(configuration);
  agent.set_signing_identity({kKey, kLearned});
  CHECK(identity_of_the_record(agent, "") == configuration.identity_arn);
}

TEST_CASE("A call signed with another key than the one that STS was asked with has no identity") {
  ScriptedUpstream upstream(empty_answer());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  agent.set_signing_identity({"AKIDANOTHER", kLearned});
  CHECK(identity_of_the_record(agent, "").empty());
}

TEST_CASE("Whose key it is may be known before the call ends") {
  std::promise<void> known;
  ScriptedUpstream upstream(ScriptedUpstream::answering([&known](const UpstreamRequest&) {
    known.get_future().wait();
    return json_response("{}");
  }));
  auto configuration = AgentFixture::configuration(upstream.url());
  AgentFixture agent(configuration);
  std::promise<std::string> signed_with;
  agent.when_signed_with_unknown_key([&](const std::string& id) { signed_with.set_value(id); });
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}", ""));
  CHECK(signed_with.get_future().get() == kKey);
  agent.set_signing_identity({kKey, kLearned});
  known.set_value();
  REQUIRE(read_response(client).status == 200);
  CHECK(agent.sink().wait_for(1).at(0).identity_arn == kLearned);
}

}  // namespace invlog::test
