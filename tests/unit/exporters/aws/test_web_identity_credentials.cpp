#include "exporters/aws/web_identity_credentials.h"

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/catch.h"
#include "tests/temporary_directory.h"
#include "tests/unit/exporters/aws/credential_scene.h"

using namespace invlog::aws;
using namespace invlog::tests;
using namespace std::chrono_literals;

namespace {

const std::string kArn = "arn:aws:iam::123456789012:role/pod";
const std::string kToken = "eyJhbGciOi.hushhush.signature";
const std::string kAction = "AssumeRoleWithWebIdentity";

struct Pod {
  TemporaryDirectory home;
  std::string file = home.path() + "/token";
  CredentialScene scene;
  std::unique_ptr<CredentialsProvider> provider;

  explicit Pod(const Variables& more = {}) {
    home.write("token", kToken + "\n");
    Variables variables = more;
    variables.insert({{"AWS_WEB_IDENTITY_TOKEN_FILE", file}, {"AWS_ROLE_ARN", kArn}});
    provider = web_identity_by_environment(scene.options(variables));
    scene.http.answer = [](const auto&) {
      return http_response(200, sts_answer(kAction, "ASIAPOD"));
    };
  }
  std::string get() { return key_of(provider->provide()); }
  std::string token_sent(std::size_t call) const {
    const std::string& body = scene.http.asked.at(call).body;
    return body.substr(body.find("WebIdentityToken=") + 17);
  }
};

}  // namespace

TEST_CASE("a pod's web identity is exchanged for credentials, unsigned, in its Region") {
  Pod pod(Variables{{"AWS_ROLE_SESSION_NAME", "pod-7"}});
  const auto result = pod.provider->provide();
  REQUIRE(key_of(result) == "ASIAPOD");
  CHECK((*result)->session_token == "token-of-ASIAPOD");
  CHECK((*result)->expiration == kNow + 1h);
  CHECK((*result)->source == "web identity " + kArn);
  REQUIRE(pod.scene.http.asked.size() == 1);
  const auto& asked = pod.scene.http.asked[0];
  CHECK(asked.url == "https://sts.eu-central-1.amazonaws.com/");
  CHECK(contains(asked.body, "Action=AssumeRoleWithWebIdentity&"));
  CHECK(contains(asked.body, "RoleSessionName=pod-7&"));
  CHECK(header_of(asked.headers, "authorization") == "");
  CHECK(pod.token_sent(0) == kToken);
  CHECK(pod.get() == "ASIAPOD");
  CHECK(pod.scene.http.asked.size() == 1);
}

TEST_CASE("a token that was replaced is read at the next refresh") {
  Pod pod;
  CHECK(pod.get() == "ASIAPOD");
  pod.home.write("token", "eyJ.second.one\n");
  pod.scene.pass(45min);
  CHECK(pod.get() == "ASIAPOD");
  CHECK(pod.token_sent(1) == "eyJ.second.one");
  CHECK(contains(pod.scene.http.asked[0].body, "RoleSessionName=invlog&"));
}

TEST_CASE("a token file that is being replaced does not end credentials that still live") {
  Pod pod;
  CHECK(pod.get() == "ASIAPOD");
  std::filesystem::remove(pod.file);
  pod.scene.pass(50min);
  CHECK(pod.get() == "ASIAPOD");
  CHECK(pod.scene.http.asked.size() == 1);
  pod.scene.pass(10min);
  CHECK(pod.get() == "web identity: the token of role " + kArn + ": cannot read " + pod.file +
                         ": No such file or directory");
  pod.home.write("token", kToken);
  pod.scene.pass(30s);
  pod.scene.http.answer = [](const auto&) {
    return http_response(200, sts_answer(kAction, "ASIANEW", "2026-01-01T03:00:00Z"));
  };
  CHECK(pod.get() == "ASIANEW");
}

TEST_CASE("a file that holds no token is an error without its content, and is not sent") {
  for (const std::string content :
       {"", "\n", "abc", "hushhush hushhush", "hushhush\nhushhush", "hushhush\x01"}) {
    Pod pod;
    pod.home.write("token", content);
    const std::string error = pod.get();
    INFO(error);
    CHECK(error.starts_with("web identity: "));
    CHECK(contains(error, pod.file));
    CHECK(!contains(error, "hushhush"));
    CHECK(pod.scene.http.asked.empty());
  }
}

TEST_CASE("STS's refusal of a token is told without it") {
  for (const auto& [status, code] :
       {std::pair(400, "ExpiredTokenException"), std::pair(400, "InvalidIdentityToken"),
        std::pair(403, "IDPRejectedClaim"), std::pair(403, "AccessDenied"),
        std::pair(400, "IDPCommunicationError")}) {
    Pod pod;
    pod.scene.http.answer = [status = status, code = code](const auto&) {
      return http_response(status, sts_error(code, "the token " + kToken + " is bad"));
    };
    const std::string error = pod.get();
    CHECK(contains(error, "web identity: AssumeRoleWithWebIdentity " + kArn + ": " + code));
    CHECK(contains(error, "the token [hidden] is bad"));
    CHECK(pod.scene.http.asked.size() == 1);  // unsigned: asking at once again is of no use
  }
}

TEST_CASE("an STS that is throttled or ill may pass, one that refuses does not") {
  for (const auto& [status, code, passes] :
       {std::tuple(400, "Throttling", true), std::tuple(503, "ServiceUnavailable", true),
        std::tuple(403, "AccessDenied", false)}) {
    INFO(code);
    Pod pod;
    pod.scene.http.answer = [status = status, code = code](const auto&) {
      return http_response(status, sts_error(code, "no"));
    };
    CHECK(may_pass(pod.provider->provide()) == passes);
    CHECK(may_pass(pod.provider->provide()) == passes);  // from the cache
  }
}

TEST_CASE("a token that is too long for a message is not in it in part either") {
  Pod pod;
  const std::string token = "eyJhbGciOi" + std::string(1500, 'h') + ".signature";
  pod.home.write("token", token);
  pod.scene.http.answer = [&](const auto&) {
    return http_response(400, sts_error("InvalidIdentityToken", "the token " + token + " is bad"));
  };
  const std::string error = pod.get();
  CHECK(contains(error, "the token [hidden]"));
  CHECK(!contains(error, "hhhh"));
}

TEST_CASE("an environment that names half a web identity, or a wrong one, is an error") {
  CredentialScene scene;
  const auto error = [&](const Variables& variables) {
    return error_of(web_identity_by_environment(scene.options(variables))->provide());
  };
  CHECK(error({}) == "nothing");
  CHECK(error({{"AWS_ROLE_ARN", kArn}}) == "nothing");
  CHECK(web_identity_by_environment(scene.options())->why_nothing() ==
        "AWS_WEB_IDENTITY_TOKEN_FILE is not set");
  CHECK(error({{"AWS_WEB_IDENTITY_TOKEN_FILE", "/t"}}) ==
        "web identity: AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not");
  CHECK(contains(error({{"AWS_WEB_IDENTITY_TOKEN_FILE", "/t"}, {"AWS_ROLE_ARN", "pod"}}),
                 "web identity: AWS_ROLE_ARN must be a role's ARN"));
  CHECK(contains(error({{"AWS_WEB_IDENTITY_TOKEN_FILE", "/t"},
                        {"AWS_ROLE_ARN", kArn},
                        {"AWS_ROLE_SESSION_NAME", "a b"}}),
                 "web identity: AWS_ROLE_SESSION_NAME must have"));
  CHECK(scene.http.asked.empty());
}

TEST_CASE("a profile's web identity names the profile") {
  TemporaryDirectory home;
  CredentialScene scene;
  RoleSettings role;
  role.role_arn = kArn;
  role.session_name = "invlog";
  role.duration = 900s;
  WebIdentityCredentials provider(scene.options(), "profile dev", home.write("token", kToken),
                                  role);
  scene.http.answer = [](const auto&) { return http_response(200, sts_answer(kAction, "ASIA")); };
  const auto result = provider.provide();
  REQUIRE(key_of(result) == "ASIA");
  CHECK((*result)->source == "profile dev: web identity " + kArn);
  CHECK(contains(scene.http.asked.at(0).body, "DurationSeconds=900"));
  CHECK(provider.name() == "profile dev");
}
