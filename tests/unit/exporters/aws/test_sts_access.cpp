#include "exporters/aws/sts_access.h"

#include <string>
#include <utility>

#include "tests/catch.h"
#include "tests/unit/exporters/aws/credential_scene.h"

using namespace invlog::aws;
using namespace invlog::tests;
using namespace std::chrono_literals;

namespace {

class StaticKeys final : public CredentialsProvider {
 public:
  ProvideResult provide() override { return Credentials{"AKID", "hushhush", "", {}, "test"}; }
};

AssumeRoleRequest role() {
  AssumeRoleRequest request;
  request.role_arn = "arn:aws:iam::123456789012:role/r";
  request.session_name = "invlog-host";
  return request;
}

// Where STS was asked, or the error.
std::string asked_at(const Variables& variables, const std::string& region,
                     const std::string& endpoint = "") {
  CredentialScene scene;
  ChainOptions options = scene.options(variables);
  options.region = region;
  options.sts_endpoint = endpoint;
  StaticKeys keys;
  StsAccess sts(options, keys);
  scene.http.answer = [](const auto&) { return http_response(200, sts_answer("AssumeRole", "A")); };
  const auto credentials = sts.assume(role());
  return credentials ? scene.http.asked.at(0).url : credentials.error().message;
}

}  // namespace

TEST_CASE(
    "STS is asked in the configured Region, else in the environment's, never at its global "
    "endpoint") {
  CHECK(asked_at({{"AWS_REGION", "eu-west-1"}}, "eu-central-1") ==
        "https://sts.eu-central-1.amazonaws.com/");
  CHECK(asked_at({{"AWS_REGION", "eu-west-1"}, {"AWS_DEFAULT_REGION", "eu-west-2"}}, "") ==
        "https://sts.eu-west-1.amazonaws.com/");
  CHECK(asked_at({{"AWS_DEFAULT_REGION", "cn-north-1"}}, "") ==
        "https://sts.cn-north-1.amazonaws.com.cn/");
  for (const std::string region : {"", "nowhere", "evil.example.com/", "eu-central-1.evil"}) {
    CHECK(contains(asked_at({{"AWS_REGION", region}}, ""), "set AWS_REGION"));
  }
}

TEST_CASE("an endpoint that is configured goes before the environment's, and both before AWS's") {
  const Variables variables{{"AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1"}};
  CHECK(asked_at(variables, "eu-central-1") == "http://127.0.0.1:1/");
  CHECK(asked_at(variables, "eu-central-1", "https://sts.example.com") ==
        "https://sts.example.com/");
  CHECK(configured_sts_endpoint("", environment_of({})) == "");
}

TEST_CASE("a command without HTTP says so") {
  CredentialScene scene;
  ChainOptions options = scene.options();
  options.http = nullptr;
  StaticKeys keys;
  const auto credentials = StsAccess(options, keys).assume(role());
  REQUIRE(!credentials);
  CHECK(credentials.error().message == "this command has no HTTP client");
}

TEST_CASE("credentials end by this host's clock, however far off it is") {
  // STS's clock is an hour ahead: what it says to end at two ends in an hour.
  CredentialScene scene;
  StaticKeys keys;
  StsAccess sts(scene.options(), keys);
  int calls = 0;
  scene.http.answer = [&](const auto&) -> HttpResult {
    if (++calls == 1) {
      return http_response(403, sts_error("SignatureDoesNotMatch", "Signature expired"),
                           {{"date", "Thu, 01 Jan 2026 01:00:00 GMT"}});
    }
    return http_response(200, sts_answer("AssumeRole", "A", "2026-01-01T02:00:00Z"));
  };
  const auto credentials = sts.assume(role());
  REQUIRE(credentials);
  CHECK(calls == 2);
  CHECK(credentials->expiration == kNow + 1h);
}

TEST_CASE("a call of STS has an end of its own") {
  CredentialScene scene;
  StaticKeys keys;
  StsAccess sts(scene.options(), keys);
  CHECK(!sts.assume(role()));
  CHECK(scene.http.asked.at(0).connect_timeout == 3s);
  CHECK(scene.http.asked.at(0).total_timeout == 10s);
}
