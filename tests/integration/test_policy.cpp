// What policy does to a call before it leaves the host: refused without a byte upstream, flagged,
// or passed, whichever path names the model.
#include <thread>

#include "agent/residency/built_in_profiles.h"
#include "tests/catch.h"
#include "tests/integration/agent_fixture.h"
#include "tests/integration/http2_client.h"
#include "tests/integration/scripted_upstream.h"
#include "tests/unit/agent/bedrock/compressed.h"

namespace invlog::test {
namespace {

using config::PolicyEffect;
using config::PolicyRule;
using config::PolicyTerm;

constexpr const char* kGlobal = "global.amazon.nova-2-lite-v1:0";

config::AgentConfig denying_global(const ScriptedUpstream& upstream) {
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.policy.given = true;
  configuration.policy.deny = {
      {PolicyEffect::deny, {{PolicyTerm::Kind::global, ""}}, "deny = \"global\""}};
  return configuration;
}

std::string gzip_header(const std::string& request) {
  const std::size_t line = request.find("\r\n") + 2;
  return request.substr(0, line) + "Content-Encoding: gzip\r\n" + request.substr(line);
}

struct Scene {
  ScriptedUpstream upstream{ScriptedUpstream::echoing()};
  AgentFixture agent;

  explicit Scene(const std::function<void(config::PolicyConfig&)>& change = {})
      : agent(changed(denying_global(upstream), change)) {
    agent.set_profiles(
        [](std::string_view id) { return residency::built_in_profile(id, "eu-central-1"); });
  }
  static config::AgentConfig changed(config::AgentConfig configuration,
                                     const std::function<void(config::PolicyConfig&)>& change) {
    if (change) {
      change(configuration.policy);
    }
    return configuration;
  }
  HttpResponse call(const std::string& target, const std::string& body = "{}") {
    LoopbackSocket client = agent.connect();
    client.send(post(target, body));
    return read_response(client);
  }
  HttpResponse call_compressed(const std::string& target, const std::string& body) {
    LoopbackSocket client = agent.connect();
    client.send(gzip_header(post(target, body)));
    return read_response(client);
  }
};

void check_denied(const HttpResponse& response, const std::string& named = kGlobal) {
  CHECK(response.status == 403);
  CHECK(response.header("x-amzn-ErrorType") == "AccessDeniedException");
  CHECK(response.body.find("denied by policy: deny = \\\"global\\\"") != std::string::npos);
  CHECK(response.body.find(named) != std::string::npos);
  CHECK(response.body.find("invlog policy show") != std::string::npos);
}

}  // namespace

TEST_CASE("A denied call is an AccessDeniedException and a record, and nothing goes upstream") {
  Scene scene;
  check_denied(scene.call("/model/global.amazon.nova-2-lite-v1%3A0/converse", "{\"messages\":[]}"));
  const auto records = scene.agent.sink().wait_for(1);
  CHECK(records[0].outcome == "denied");
  CHECK(records[0].status == 403);
  CHECK(records[0].decision == "deny");
  CHECK(records[0].scope == "global");
  CHECK(records[0].profile == kGlobal);
  CHECK(records[0].destinations == "*");
  CHECK(records[0].details.find(R"("rule":"deny = \"global\"")") != std::string::npos);
  CHECK(records[0].request.bytes == "{\"messages\":[]}");
  CHECK(scene.upstream.connections() == 0);
  CHECK(scene.agent.statistics().denied == 1);
  CHECK(scene.agent.statistics().policy_denied == 1);
  CHECK(scene.agent.sink().events().empty());
}

TEST_CASE("An allowed call's record says where it may be processed") {
  Scene scene;
  CHECK(scene.call(std::string(kConverse)).status == 200);
  CHECK(scene.call("/model/amazon.nova-lite-v1%3A0/invoke").status == 200);
  const auto records = scene.agent.sink().wait_for(2);
  CHECK(records[0].decision == "allow");
  CHECK(records[0].scope == "geographic");
  CHECK(records[0].profile == "eu.amazon.nova-2-lite-v1:0");
  CHECK(records[0].destinations ==
        "eu-central-1,eu-north-1,eu-south-1,eu-south-2,eu-west-1,eu-west-3");
  CHECK(records[0].details.find("\"rule\"") == std::string::npos);
  CHECK(records[1].scope == "in-region");
  CHECK(records[1].profile.empty());
  CHECK(records[1].destinations == "eu-central-1");
}

TEST_CASE("Denied over HTTP/2, and the connection goes on") {
  Scene scene;
  Http2Client client(scene.agent.port());
  const auto denied = client.post("/model/global.amazon.nova-2-lite-v1%3A0/converse", "{}");
  const auto allowed = client.post(kConverse, "{}");
  const auto& refusal = client.wait_for(denied);
  CHECK(refusal.status == 403);
  CHECK(refusal.body.find("deny = \\\"global\\\"") != std::string::npos);
  CHECK(client.wait_for(allowed).status == 200);
  CHECK(scene.agent.sink().wait_for(2).size() == 2);
  CHECK(scene.upstream.connections() == 1);
}

TEST_CASE("A denied model does not get out by another path or spelling") {
  Scene scene;
  const std::string model = R"("global.amazon.nova-2-lite-v1:0")";
  struct Row {
    std::string target, body;
    bool record;
  };
  const Row rows[] = {
      {"/model/global.amazon.nova-2-lite-v1%3A0/count-tokens", "{}", false},
      {"/model/global.amazon.nova-2-lite-v1:0/invoke-with-bidirectional-stream", "", true},
      {"/model/global.amazon.nova-2-lite-v1:0/what-comes-next", "{}", false},
      {"//model//global.amazon.nova-2-lite-v1:0/converse", "{}", true},
      {"/x/../%6Dodel/./global%2Eamazon.nova-2-lite-v1:0/converse", "{}", true},
      {"/model/arn:aws:bedrock:eu-central-1:123456789012:inference-profile/"
       "global.amazon.nova-2-lite-v1:0/converse",
       "{}", true},
      {"/async-invoke", R"({"modelId":)" + model + "}", false},
      {"/openai/v1/chat/completions", R"({"messages":[],"model":)" + model + "}", true},
      {"/openai/v1/responses", R"({"mod\u0065l":)" + model + "}", true},
      {"/openai/v1/responses", R"({"model":"amazon.nova-lite-v1:0","model":)" + model + "}", true},
      {"/openai/v1/responses", R"({"model":)" + model + R"(,"model":"amazon.nova-lite-v1:0"})",
       true},
      {"/openai/v1/responses", R"({"\ud800":1,"model":)" + model + R"(,"\udc00":2})", true},
      {"/anthropic/v1/messages", R"({"model":)" + model + "}", false},
  };
  // However much a compressed body becomes.
  const std::string blown_up =
      tests::gzip(std::string(6 << 20, ' ') + R"({"model":)" + model + "}");
  check_denied(scene.call_compressed("/openai/v1/responses", blown_up));
  std::size_t records = 1, others = 0;
  for (const Row& row : rows) {
    INFO(row.target << " " << row.body);
    check_denied(scene.call(row.target, row.body));
    ++(row.record ? records : others);
  }
  CHECK(scene.agent.sink().wait_for(records).size() == records);
  CHECK(scene.upstream.connections() == 0);
  CHECK(scene.agent.statistics().policy_denied == records + others);
  CHECK(scene.agent.statistics().passed_through == 0);
  // Each model and rule is told once: events stand for calls without a record, not for each of
  // them.
  const auto events = scene.agent.sink().events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].starts_with("policy-denied {"));
  CHECK(events[0].find("count-tokens") != std::string::npos);
}

TEST_CASE("A body that cannot be read does not get a model out, whatever the path") {
  Scene scene([](config::PolicyConfig& policy) { policy.unknown = PolicyEffect::deny; });
  const std::string marked = "\xEF\xBB\xBF{\"modelId\":\"global.amazon.nova-reel-v1:0\"}";
  for (const char* target : {"/async-invoke", "/async-invoke/", "/%61sync-invoke", "//async-invoke",
                             "/./async-invoke", "/openai/v1/completions", "/what-comes-next"}) {
    INFO(target);
    CHECK(scene.call(target, marked).status == 403);
    LoopbackSocket client = scene.agent.connect();
    client.send(gzip_header(post(target, "no gzip")));
    CHECK(read_response(client).status == 403);
  }
  for (const char* target : {"/async-invoke/", "/%61sync-invoke"}) {
    INFO(target);
    CHECK(scene.call(target, "{}").status == 403);
  }
  CHECK(scene.upstream.connections() == 0);
  CHECK(scene.call("/guardrail/abc/version/1/apply", marked).status == 200);
  CHECK(scene.call("/what-comes-next", "").status == 200);
  CHECK(scene.call("/what-comes-next", "[]").status == 200);
}

TEST_CASE("A name that is no text may be a model's, and hides none") {
  Scene scene([](config::PolicyConfig& policy) { policy.unknown = PolicyEffect::deny; });
  const std::string chat = "/openai/v1/chat/completions";
  const std::string model = R"("model":"amazon.nova-lite-v1:0")";
  CHECK(scene.call(chat, "{" + model + R"(,"messages":[{"\ud800":1}]})").status == 200);
  CHECK(scene.call(chat, "{" + model + R"(,"mod\ud800el":"x"})").status == 403);
  CHECK(scene.call("/what-comes-next", R"({"modelId\udc00":"x"})").status == 403);
}

TEST_CASE("Paths that name no model pass a policy") {
  Scene scene;
  CHECK(scene.call("/guardrail/abc/version/1/apply", R"({"source":"INPUT"})").status == 200);
  CHECK(scene.call("/model/amazon.nova-lite-v1:0/count-tokens").status == 200);
  CHECK(scene.agent.statistics().policy_denied == 0);
  CHECK(scene.agent.statistics().passed_through == 2);
}

TEST_CASE("An unknown model is flagged, and denied if the policy says so") {
  const bool deny = GENERATE(false, true);
  Scene scene([deny](config::PolicyConfig& policy) {
    policy.unknown = deny ? PolicyEffect::deny : PolicyEffect::flag;
  });
  for (const auto& [target, body] :
       {std::pair<std::string, std::string>{"/model/eu.vendor.unheard-of-v1%3A0/converse", "{}"},
        {"/openai/v1/chat/completions", "{}"},
        {"/openai/v1/chat/completions", "no JSON"},
        {"/async-invoke", "{}"}}) {
    INFO(target << " " << body);
    CHECK(scene.call(target, body).status == (deny ? 403 : 200));
  }
  const auto records = scene.agent.sink().wait_for(3);
  for (const auto& record : records) {
    CHECK(record.decision == (deny ? "deny" : "flag"));
    CHECK(record.scope.empty());
    CHECK(record.destinations.empty());
    CHECK(record.details.find(deny ? R"("rule":"unknown = \"deny\"")"
                                   : R"("rule":"unknown = \"flag\"")") != std::string::npos);
  }
  CHECK(scene.agent.statistics().flagged == (deny ? 0 : 4));
}

TEST_CASE("In mode observe nothing is denied, and what would be is flagged") {
  Scene scene([](config::PolicyConfig& policy) { policy.observe = true; });
  CHECK(scene.call("/model/global.amazon.nova-2-lite-v1%3A0/converse").status == 200);
  const auto records = scene.agent.sink().wait_for(1);
  CHECK(records[0].outcome == "complete");
  CHECK(records[0].decision == "flag");
  CHECK(records[0].details.find(R"("rule":"deny = \"global\"")") != std::string::npos);
  CHECK(scene.agent.statistics().flagged == 1);
}

TEST_CASE("A rule may ask who calls") {
  Scene scene([](config::PolicyConfig& policy) {
    policy.rules = {{PolicyEffect::allow,
                     {{PolicyTerm::Kind::global, ""}, {PolicyTerm::Kind::caller, "?*"}},
                     "rules = \"allow global caller:?*\""}};
  });
  CHECK(scene.call("/model/global.amazon.nova-2-lite-v1%3A0/converse").status == 200);
}

TEST_CASE("A rule about callers binds who hangs up at once") {
  Scene scene([](config::PolicyConfig& policy) {
    policy.deny = {};
    policy.rules = {{PolicyEffect::deny,
                     {{PolicyTerm::Kind::global, ""}, {PolicyTerm::Kind::caller, "?*"}},
                     "rules = \"deny global caller:?*\""}};
  });
  constexpr std::size_t kCalls = 100;
  const std::string request = post("/model/global.amazon.nova-2-lite-v1%3A0/converse", "{}");
  for (std::size_t call = 0; call < kCalls; ++call)
    scene.agent.connect().send(request);
  for (const auto& record : scene.agent.sink().wait_for(kCalls)) {
    CHECK((record.outcome == "denied" || record.outcome == "client-closed"));
    CHECK((record.decision == "deny" || record.decision.empty()));
    CHECK(record.caller.empty() == record.decision.empty());
    CHECK(record.details.find("\"sent\":false") != std::string::npos);
  }
  CHECK(scene.agent.sink().records() == kCalls);
  CHECK(scene.upstream.connections() == 0);
}

TEST_CASE(
    "Without a policy the record says where a call may be processed, and that it was allowed") {
  Scene scene([](config::PolicyConfig& policy) { policy = {}; });
  CHECK(scene.call("/openai/v1/chat/completions", R"({"model":"global.amazon.nova-2-lite-v1:0"})")
            .status == 200);
  CHECK(scene.call("/async-invoke", "{}").status == 200);
  const auto records = scene.agent.sink().wait_for(1);
  CHECK(records[0].decision == "allow");
  CHECK(records[0].scope == "global");
  CHECK(records[0].profile == kGlobal);
}

TEST_CASE("A changed policy is for the next call; one under way keeps what it began with") {
  Scene scene;
  config::AgentConfig changed = denying_global(scene.upstream);
  changed.policy.deny = {};
  changed.privacy.metadata_only = true;
  const std::string global = "/model/global.amazon.nova-2-lite-v1%3A0/converse";
  const std::string request = post(global, "{\"messages\":[]}");
  const std::size_t half = request.size() - 3;
  LoopbackSocket slow = scene.agent.connect();
  slow.send(std::string_view(request).substr(0, half));
  while (scene.agent.statistics().calls == 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  scene.agent.change(changed);
  CHECK(scene.call(global, "{\"messages\":[]}").status == 200);
  slow.send(std::string_view(request).substr(half));
  check_denied(read_response(slow));
  const auto records = scene.agent.sink().wait_for(2);
  CHECK(records[0].decision == "allow");
  CHECK(records[0].request.bytes != "{\"messages\":[]}");
  CHECK(records[1].decision == "deny");
  CHECK(records[1].request.bytes == "{\"messages\":[]}");
  // And back.
  changed.policy = denying_global(scene.upstream).policy;
  scene.agent.change(changed);
  check_denied(scene.call(global));
}

}  // namespace invlog::test
