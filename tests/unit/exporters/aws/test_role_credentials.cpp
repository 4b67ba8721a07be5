#include "exporters/aws/role_credentials.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "exporters/aws/iso_time.h"
#include "exporters/aws/profile_credentials.h"
#include "tests/catch.h"
#include "tests/temporary_directory.h"
#include "tests/unit/exporters/aws/credential_scene.h"

using namespace invlog::aws;
using namespace invlog::tests;
using namespace std::chrono_literals;

namespace {

const std::string kArn = "arn:aws:iam::123456789012:role/";
const std::string kChain = "[profile dev]\nrole_arn = " + kArn +
                           "dev\nsource_profile = mid\n[profile mid]\nrole_arn = " + kArn +
                           "mid\nsource_profile = base\n";
const std::string kBase = "[base]\naws_access_key_id = AKID\naws_secret_access_key = hushhush\n";

// The role's name in what STS was asked.
std::string role_in(const ScriptedHttp::Asked& asked) {
  const std::string before = "role%2F";
  const std::size_t at = asked.body.find(before);
  return at == std::string::npos
             ? "none"
             : asked.body.substr(at + before.size(), asked.body.find('&', at) - at - before.size());
}

// A host with a profile "dev", and an STS that gives "ASIA<role>" for an hour to whoever asks.
struct Host {
  TemporaryDirectory home;
  CredentialScene scene;
  std::unique_ptr<ProfileCredentials> provider;

  Host(const std::string& config, const std::string& credentials, Variables variables = {}) {
    home.write(".aws/config", config);
    home.write(".aws/credentials", credentials);
    variables.insert({{"HOME", home.path()}, {"AWS_PROFILE", "dev"}});
    const ChainOptions options = scene.options(std::move(variables));
    provider = std::make_unique<ProfileCredentials>(options, profile_paths(options.environment),
                                                    ProfileCredentials::Absence::error_if_named);
    work();
  }
  void work() {
    scene.http.answer = [this](const ScriptedHttp::Asked& asked) -> HttpResult {
      return http_response(
          200, sts_answer("AssumeRole", "ASIA" + role_in(asked), iso_time(scene.now + 1h)));
    };
  }
  void refuse(int status, const std::string& code, const std::string& message) {
    scene.http.answer = [=](const auto&) {
      return http_response(status, sts_error(code, message));
    };
  }
  std::string get() { return key_of(provider->provide()); }
  // Who signed, and for which role, since the last look: "AKID>mid".
  std::vector<std::string> calls() {
    std::vector<std::string> lines;
    for (const auto& asked : scene.http.asked) {
      const std::string header = header_of(asked.headers, "authorization");
      const std::string before = "Credential=";
      const std::size_t found = header.find(before);
      const std::size_t at = found == std::string::npos ? header.size() : found + before.size();
      lines.push_back(header.substr(at, header.find('/', at) - at) + ">" + role_in(asked));
    }
    scene.http.asked.clear();
    return lines;
  }
};

using Calls = std::vector<std::string>;

}  // namespace

TEST_CASE("a chain of roles is walked once an hour, each step signed by the one before") {
  Host host(kChain, kBase);
  const auto result = host.provider->provide();
  REQUIRE(key_of(result) == "ASIAdev");
  CHECK((*result)->session_token == "token-of-ASIAdev");
  CHECK((*result)->expiration == kNow + 1h);
  CHECK((*result)->source == "profile dev: role " + kArn + "dev by profile mid");
  REQUIRE(host.scene.http.asked.size() == 2);
  CHECK(host.scene.http.asked[0].url == "https://sts.eu-central-1.amazonaws.com/");
  CHECK(contains(host.scene.http.asked[0].body, "RoleSessionName=invlog"));
  CHECK(header_of(host.scene.http.asked[0].headers, "x-amz-security-token") == "");
  CHECK(header_of(host.scene.http.asked[1].headers, "x-amz-security-token") == "token-of-ASIAmid");
  CHECK(host.calls() == Calls{"AKID>mid", "ASIAmid>dev"});

  host.scene.pass(44min);
  CHECK(host.get() == "ASIAdev");
  CHECK(host.calls().empty());
  host.scene.pass(1min);
  CHECK(host.get() == "ASIAdev");
  CHECK(host.calls() == Calls{"AKID>mid", "ASIAmid>dev"});
}

TEST_CASE("a role that cannot be assumed is told with its profile and STS's words") {
  Host host(kChain, kBase);
  host.refuse(403, "AccessDenied", "User: arn:aws:iam::1:user/x is not authorized, hushhush");
  const std::string error = host.get();
  CHECK(contains(error, "profile dev: role " + kArn +
                            "dev needs credentials of profile mid: profile mid: AssumeRole " +
                            kArn + "mid: AccessDenied"));
  CHECK(contains(error, "is not authorized"));
  CHECK(!contains(error, "hushhush"));
  CHECK(host.calls() == Calls{"AKID>mid"});
  // Both steps wait before they ask again.
  CHECK(host.get() == error);
  CHECK(host.calls().empty());
  host.work();
  host.scene.pass(1s);
  CHECK(host.get() == "ASIAdev");
}

TEST_CASE("a role may come where STS only is throttled, at whichever step") {
  Host host(kChain, kBase);
  host.refuse(400, "Throttling", "Rate exceeded");
  CHECK(may_pass(host.provider->provide()));
  Host refused(kChain, kBase);
  refused.refuse(403, "AccessDenied", "no");
  CHECK(!may_pass(refused.provider->provide()));
}

TEST_CASE("while STS is down a role's old credentials are used to their end, and no longer") {
  Host host(kChain, kBase);
  CHECK(host.get() == "ASIAdev");
  host.refuse(503, "ServiceUnavailable", "down");
  for (int minute = 1; minute < 60; ++minute) {
    host.scene.pass(1min);
    CHECK(host.get() == "ASIAdev");
  }
  host.scene.pass(1min);
  CHECK(contains(host.get(), "ServiceUnavailable"));
  host.work();
  host.scene.pass(30s);
  CHECK(host.get() == "ASIAdev");
}

TEST_CASE("a step whose credentials STS calls expired is fetched anew, and asked once more") {
  Host host(kChain, kBase);
  CHECK(host.get() == "ASIAdev");
  host.calls();
  host.scene.pass(10min);
  host.provider->forget();  // the service refused what dev gave
  bool refused = false;
  host.scene.http.answer = [&](const ScriptedHttp::Asked& asked) -> HttpResult {
    if (role_in(asked) == "dev" && !std::exchange(refused, true)) {
      return http_response(403, sts_error("ExpiredToken", "The security token is expired"));
    }
    return http_response(
        200, sts_answer("AssumeRole", "ASIA" + role_in(asked), iso_time(host.scene.now + 1h)));
  };
  CHECK(host.get() == "ASIAdev");
  CHECK(host.calls() == Calls{"ASIAmid>dev", "AKID>mid", "ASIAmid>dev"});
}

TEST_CASE("a role is assumed with the environment's keys, or the lack of them is told") {
  const std::string config =
      "[profile dev]\nrole_arn = " + kArn + "dev\ncredential_source = Environment\n";
  Host host(config, "", {{"AWS_ACCESS_KEY_ID", "AKENV"}, {"AWS_SECRET_ACCESS_KEY", "hushhush"}});
  const auto result = host.provider->provide();
  REQUIRE(key_of(result) == "ASIAdev");
  CHECK((*result)->source == "profile dev: role " + kArn + "dev by Environment");
  CHECK(host.calls() == Calls{"AKENV>dev"});

  Host without(config, "");
  CHECK(without.get() == "profile dev: role " + kArn +
                             "dev needs credentials of Environment: AWS_ACCESS_KEY_ID and "
                             "AWS_SECRET_ACCESS_KEY are not set");
  CHECK(without.calls().empty());
}

TEST_CASE("a role is assumed with the container's or the instance's credentials") {
  const std::string keys =
      R"({"Code":"Success","AccessKeyId":"ASIAHOST","SecretAccessKey":"hushhush","Token":"T",)"
      R"("Expiration":"2026-01-01T06:00:00Z"})";
  for (const std::string source : {"EcsContainer", "Ec2InstanceMetadata"}) {
    const std::string config =
        "[profile dev]\nrole_arn = " + kArn + "dev\ncredential_source = " + source + "\n";
    const Variables variables{{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/keys"}};
    Host host(config, "", variables);
    host.scene.http.answer = [&](const ScriptedHttp::Asked& asked) -> HttpResult {
      if (asked.url.starts_with("https://sts.")) {
        return http_response(200, sts_answer("AssumeRole", "ASIAdev"));
      }
      if (asked.url.ends_with("/token") || asked.url.ends_with("/security-credentials/")) {
        return http_response(200, "text");
      }
      return http_response(200, keys);
    };
    INFO(source);
    CHECK(host.get() == "ASIAdev");
    CHECK(host.calls().back() == "ASIAHOST>dev");
    // Nobody there: the role cannot be had, and nothing else is tried in its place.
    Host alone(config, "", variables);
    alone.scene.http.answer = [](const auto&) -> HttpResult {
      return http_failure(HttpFailure::Kind::connect);
    };
    const std::string error = alone.get();
    CHECK(error.starts_with("profile dev: role "));
    CHECK(contains(error, "needs credentials of " + source + ": "));
    CHECK(contains(error, "no answer from the host"));
  }
}

TEST_CASE("what was fetched stays when the files change in what the profile does not say") {
  Host host(kChain, kBase);
  CHECK(host.get() == "ASIAdev");
  host.calls();
  host.home.write(".aws/config", "# a note\n" + kChain + "[profile other]\nregion = x\n");
  host.scene.pass(1s);
  CHECK(host.get() == "ASIAdev");
  CHECK(host.calls().empty());
  host.home.write(".aws/credentials",
                  "[base]\naws_access_key_id = AKNEW\naws_secret_access_key = hushhush\n");
  host.scene.pass(1s);
  CHECK(host.get() == "ASIAdev");
  CHECK(host.calls() == Calls{"AKNEW>mid", "ASIAmid>dev"});
}
