#include "agent/delivery/own_identity.h"

#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/catch.h"
#include "tests/unit/agent/config/config_text.h"
#include "tests/unit/agent/delivery/delivery_scene.h"
#include "tests/unit/exporters/aws/scripted_http_client.h"

using namespace invlog::tests;
using invlog::aws::HttpFailure;
using invlog::config::AgentConfig;
using invlog::delivery::OwnIdentity;

namespace {

constexpr const char* kArn = "arn:aws:sts::123456789012:assumed-role/agent/host";

AgentConfig configuration(const std::string& upstream, const std::string& sts = "") {
  AgentConfig configuration;
  configuration.region = "eu-central-1";
  configuration.upstream = upstream;
  configuration.aws.sts_endpoint = sts;
  return configuration;
}

// The identity by answers of `script`, which stays readable.
struct OwnIdentityScene {
  explicit OwnIdentityScene(const AgentConfig& configuration)
      : OwnIdentityScene(configuration, environment_of({})) {}
  OwnIdentityScene(const AgentConfig& configuration, const invlog::aws::Environment& environment)
      : script(new ScriptedHttpClient),
        identity(configuration, credentials, environment, nullptr,
                 std::unique_ptr<invlog::aws::HttpClient>(script)) {}

  FixedCredentials credentials;
  ScriptedHttpClient* script;  // the identity's
  OwnIdentity identity;
};

// Answers once it is told to.
class HeldClient final : public invlog::aws::HttpClient {
 public:
  invlog::aws::HttpResult send(const invlog::aws::HttpRequest&) override {
    std::unique_lock lock(mutex_);
    asked_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return released_; });
    invlog::aws::HttpResponse response;
    response.status = 200;
    response.body = identity_answer("123456789012", kArn);
    return response;
  }
  void wait_until_asked() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return asked_; });
  }
  void release() {
    const std::lock_guard guard(mutex_);
    released_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool asked_ = false, released_ = false;
};

}  // namespace

TEST_CASE("STS says who the agent is, once") {
  OwnIdentityScene scene(configuration("http://127.0.0.1:1", "http://127.0.0.1:5000"));
  CHECK(scene.identity.endpoint() == "http://127.0.0.1:5000");
  scene.script->answer(200, identity_answer("123456789012", kArn));
  CHECK(scene.identity.account_id() == "123456789012");
  const auto identity = scene.identity.ask();
  REQUIRE(identity);
  CHECK(identity->account_id == "123456789012");
  CHECK(identity->arn == kArn);
  CHECK(scene.identity.problem().empty());
  REQUIRE(scene.script->seen.size() == 1);
  CHECK(scene.script->seen[0].url == "http://127.0.0.1:5000/");
  CHECK(contains(scene.script->seen[0].header("authorization"), "/eu-central-1/sts/aws4_request"));
}

TEST_CASE("a private upstream means that AWS's STS is never asked") {
  OwnIdentityScene scene(configuration("http://127.0.0.1:8080"));
  CHECK(scene.identity.endpoint().empty());
  CHECK(!scene.identity.ask());
  CHECK(scene.identity.account_id() == "");
  CHECK(scene.identity.problem().empty());
}

TEST_CASE("the Region's own STS is asked for AWS's own upstream, and the environment's before it") {
  const AgentConfig own = configuration("https://bedrock-runtime.eu-central-1.amazonaws.com");
  CHECK(OwnIdentityScene(own).identity.endpoint() == "https://sts.eu-central-1.amazonaws.com");
  CHECK(OwnIdentityScene(own, environment_of({{"AWS_ENDPOINT_URL_STS", "http://127.0.0.1:7"}}))
            .identity.endpoint() == "http://127.0.0.1:7");
}

TEST_CASE("a configured account is used without asking") {
  AgentConfig configured = configuration("http://127.0.0.1:1", "http://127.0.0.1:5000");
  configured.account_id = "210987654321";
  OwnIdentityScene scene(configured);
  CHECK(scene.identity.account_id() == "210987654321");
  CHECK(scene.script->seen.empty());
}

TEST_CASE("an account that is not known yet is no error, and is not asked for in a loop") {
  OwnIdentityScene scene(configuration("http://127.0.0.1:1", "http://127.0.0.1:5000"));
  scene.script->fail(HttpFailure::Kind::connect, "127.0.0.1:5000: Connection refused");
  CHECK(!scene.identity.ask());
  CHECK(contains(scene.identity.problem(), "127.0.0.1:5000: Connection refused"));
  CHECK(!contains(scene.identity.problem(), "very-secret-key"));
  for (int attempt = 0; attempt < 100; ++attempt) {
    const auto account = scene.identity.account_id();
    REQUIRE(!account);
    CHECK(account.error().kind == invlog::aws::FailureKind::transient);
    CHECK(contains(account.error().message, "the account is not known yet: "));
    CHECK(contains(account.error().message, "127.0.0.1:5000: Connection refused"));
  }
  CHECK(scene.script->seen.size() == 1);
}

TEST_CASE("an STS that refuses to say leaves the account open, so that deliveries go on") {
  OwnIdentityScene scene(configuration("http://127.0.0.1:1", "http://127.0.0.1:5000"));
  scene.script->answer(403,
                       "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>");
  CHECK(scene.identity.account_id() == "");
  CHECK(!scene.identity.problem().empty());
}

TEST_CASE("while one thread asks, deliveries wait for the answer") {
  FixedCredentials credentials;
  auto* const http = new HeldClient;
  OwnIdentity identity(configuration("http://127.0.0.1:1", "http://127.0.0.1:5000"), credentials,
                       environment_of({}), nullptr, std::unique_ptr<invlog::aws::HttpClient>(http));
  std::thread asking([&identity] { identity.ask(); });
  http->wait_until_asked();
  tl::expected<std::string, invlog::aws::ServiceFailure> account;
  std::thread delivering([&] { account = identity.account_id(); });
  http->release();
  asking.join();
  delivering.join();
  CHECK(account == "123456789012");
}
