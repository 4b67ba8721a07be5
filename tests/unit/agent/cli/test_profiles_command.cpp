#include "agent/cli/profiles_command.h"

#include <sstream>

#include "tests/catch.h"
#include "tests/unit/agent/cli/command_answer.h"
#include "tests/unit/agent/config/config_text.h"
#include "tests/unit/agent/delivery/delivery_scene.h"
#include "tests/unit/agent/residency/profile_texts.h"
#include "tests/unit/exporters/aws/scripted_http_client.h"

using namespace invlog::cli;
using namespace invlog::tests;

namespace {

constexpr const char* kNova = "eu.amazon.nova-lite-v1:0";
const std::vector<std::string> kEu4 = {"eu-central-1", "eu-north-1", "eu-west-1", "eu-west-3"};

struct ProfilesCommandScene {
  explicit ProfilesCommandScene(std::map<std::string, std::string> environment = {
                                    {"AWS_ENDPOINT_URL_BEDROCK", "http://127.0.0.1:5000"}}) {
    refresh.store = store.options();
    refresh.world.environment = environment_of(std::move(environment));
    refresh.world.make_credentials = [](const auto&, const auto&, const auto*) {
      return std::make_unique<FixedCredentials>();
    };
    list.store = show.store = store.options();
  }

  // The service has these system and application profiles.
  CommandAnswer run_refresh(const std::vector<std::string>& systems,
                            const std::vector<std::string>& applications = {}) {
    return run_refresh_by([=](ScriptedHttpClient& client) {
      client.answer(200, page_json(systems));
      client.answer(200, page_json(applications));
    });
  }
  CommandAnswer run_refresh_by(const std::function<void(ScriptedHttpClient&)>& prepare) {
    refresh.world.make_http_client = [&](const auto&, const auto&, const auto*) {
      auto client = std::make_unique<ScriptedHttpClient>();
      prepare(*client);
      return client;
    };
    std::ostringstream out, err;
    const int exit_code = run_profiles_refresh(refresh, out, err);
    return {exit_code, out.str(), err.str()};
  }
  CommandAnswer run_list() {
    std::ostringstream out, err;
    const int exit_code = run_profiles_list(list, out, err);
    return {exit_code, out.str(), err.str()};
  }
  CommandAnswer run_show(const std::string& id) {
    show.id = id;
    std::ostringstream out, err;
    const int exit_code = run_profiles_show(show, out, err);
    return {exit_code, out.str(), err.str()};
  }

  const ExampleStore store;
  ProfilesRefreshOptions refresh;
  ProfilesListOptions list;
  ProfilesShowOptions show;
};

}  // namespace

TEST_CASE("profiles lists the built-in table as long as the service was not asked") {
  ProfilesCommandScene scene;
  const CommandAnswer answer = scene.run_list();
  CHECK(answer.exit_code == 0);
  CHECK_THAT(answer.out, contains_text("eu-central-1 eu-north-1 eu-west-1 eu-west-3"));
  CHECK_THAT(answer.out, contains_text("any commercial Region"));
  CHECK_THAT(answer.out, contains_text("built in"));
  scene.list.scope = "global";
  CHECK(!contains(scene.run_list().out, kNova));
  scene.list.application = true;
  CHECK(scene.run_list().out.empty());
  CHECK_THAT(scene.run_list().err, contains_text("`invlog profiles refresh`"));
}

TEST_CASE("profiles refresh says what is new, and list and show know it then") {
  ProfilesCommandScene scene;
  const CommandAnswer answer =
      scene.run_refresh({profile_json(kNova, "amazon.nova-lite-v1:0", kEu4),
                         profile_json("eu.a.b", "a.b", {"eu-central-1", "eu-west-1"})},
                        {profile_json("1arbu5hu2sjr", "a.b", {"eu-central-1", "eu-west-1"}, true)});
  CHECK(answer.exit_code == 0);
  CHECK(answer.out ==
        "new      eu.a.b: eu-central-1,eu-west-1\n"
        "new      1arbu5hu2sjr: eu-central-1,eu-west-1\n"
        "3 profiles known from the service\n");
  scene.list.application = scene.list.json = true;
  const std::string json = scene.run_list().out;
  CHECK_THAT(json, contains_text(R"({"profile":"1arbu5hu2sjr","scope":"geographic",)"
                                 R"("kind":"application","geography":"eu","models":["a.b"],)"
                                 R"("source_region":"eu-central-1",)"
                                 R"("destinations":["eu-central-1","eu-west-1"],)"
                                 R"("wraps":"eu.a.b","name":"named 1arbu5hu2sjr")"));
  CHECK_THAT(json, contains_text(R"("origin":"service","learned_at":"20)"));
  const CommandAnswer shown = scene.run_show(
      "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/1arbu5hu2sjr");
  CHECK(shown.exit_code == 0);
  CHECK_THAT(shown.out, contains_text("eu-central-1 eu-west-1"));
  CHECK_THAT(shown.out, contains_text("eu.a.b"));
}

TEST_CASE("profiles refresh fails if a geographic profile has changed") {
  ProfilesCommandScene scene;
  const CommandAnswer answer = scene.run_refresh(
      {profile_json(kNova, "amazon.nova-lite-v1:0", {"eu-central-1", "us-east-1"})});
  CHECK(answer.exit_code == 1);
  CHECK_THAT(answer.out,
             contains_text("CHANGED  eu.amazon.nova-lite-v1:0: was eu-central-1,eu-north-1,"
                           "eu-west-1,eu-west-3 (built in), is eu-central-1,us-east-1\n"));
  scene.refresh.json = true;
  const CommandAnswer json =
      scene.run_refresh({profile_json(kNova, "amazon.nova-lite-v1:0", kEu4)});
  CHECK(json.exit_code == 1);
  CHECK_THAT(json.out, contains_text(R"("alarm":true,"before":"eu-central-1,us-east-1")"));
  CHECK(scene.run_refresh({profile_json(kNova, "amazon.nova-lite-v1:0", kEu4)}).exit_code == 0);
}

TEST_CASE("profiles refresh says what is missing when it may not ask") {
  ProfilesCommandScene scene;
  const CommandAnswer refused = scene.run_refresh_by([](ScriptedHttpClient& client) {
    client.answer(403, R"({"message":"not authorized"})",
                  {{"x-amzn-errortype", "AccessDeniedException"}});
  });
  CHECK(refused.exit_code == 1);
  CHECK_THAT(refused.err, contains_text("allow bedrock:ListInferenceProfiles"));
  // The example's upstream is AWS's own; a private one asks nobody.
  ProfilesCommandScene elsewhere{std::map<std::string, std::string>{}};
  elsewhere.refresh.store.store.reset();
  elsewhere.refresh.store.config_file = elsewhere.store.directory().write(
      "c.toml", kRegion + "state_dir = \"" + elsewhere.store.directory().path() +
                    "\"\nupstream = \"http://127.0.0.1:8080\"\n");
  CHECK(elsewhere.run_refresh(std::vector<std::string>{}).exit_code == 2);
}

TEST_CASE("profiles show classifies any model id") {
  ProfilesCommandScene scene;
  CHECK_THAT(scene.run_show("amazon.nova-lite-v1:0").out, contains_text("in-region"));
  const CommandAnswer unknown = scene.run_show("eu.amazon.nova-9-v1:0");
  CHECK(unknown.exit_code == 1);
  CHECK_THAT(unknown.out, contains_text("no such profile in the catalogue"));
  scene.show.json = true;
  const std::string json = scene.run_show("global.anthropic.claude-haiku-4-5-20251001-v1:0").out;
  CHECK_THAT(json, contains_text(R"({"id":"global.anthropic.claude-haiku-4-5-20251001-v1:0",)"
                                 R"("scope":"global","source_region":"eu-central-1",)"
                                 R"("destinations":[],)"));
  CHECK_THAT(json, contains_text("\"geography\":\"global\","
                                 "\"model\":\"anthropic.claude-haiku-4-5-20251001-v1:0\","
                                 "\"known_by\":\"the catalogue (built in)\"}\n"));
}
