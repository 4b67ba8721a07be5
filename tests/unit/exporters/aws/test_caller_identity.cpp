#include "exporters/aws/caller_identity.h"

#include <string>
#include <utility>
#include <vector>

#include "tests/catch.h"
#include "tests/unit/exporters/aws/credential_scene.h"

using namespace invlog::aws;
using namespace invlog::tests;
using namespace std::chrono_literals;

namespace {

std::string endpoint(const std::string& upstream, const std::string& region,
                     const std::string& configured = "", const Variables& variables = {}) {
  return identity_endpoint(upstream, region, configured, environment_of(variables))
      .value_or("none");
}

constexpr const char* kAnswer =
    "<GetCallerIdentityResponse><GetCallerIdentityResult>"
    "<Arn>arn:aws:sts::123456789012:assumed-role/r/s</Arn><Account>123456789012</Account>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>";

class StaticKeys final : public CredentialsProvider {
 public:
  ProvideResult provide() override {
    return there ? ProvideResult(Credentials{id, "hushhush", "", {}, "test"}) : std::nullopt;
  }
  bool there = true;
  std::string id = "AKID";
};

struct Lookup {
  CredentialScene scene;
  StaticKeys keys;
  std::unique_ptr<HttpClient> http = scene.http.factory()();
  ServiceClient sts;
  CallerIdentityLookup lookup;

  Lookup()
      : sts(options(), *http, keys),
        lookup(sts, scene.options().steady_clock, scene.options().random) {
    scene.random = 1;
  }
  static ServiceClientOptions options() {
    ServiceClientOptions options;
    options.service = "sts";
    options.region = "eu-central-1";
    options.endpoint = "https://sts.eu-central-1.amazonaws.com";
    return options;
  }
  std::size_t asked() const { return scene.http.asked.size(); }
};

}  // namespace

TEST_CASE("AWS is asked who we are where the upstream is AWS's own, in its Region and partition") {
  CHECK(endpoint("https://bedrock-runtime.eu-central-1.amazonaws.com", "eu-central-1") ==
        "https://sts.eu-central-1.amazonaws.com");
  CHECK(endpoint("https://bedrock-runtime.eu-central-1.amazonaws.com:443/x", "eu-central-1") ==
        "https://sts.eu-central-1.amazonaws.com");
  CHECK(endpoint("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1") ==
        "https://sts.us-gov-west-1.amazonaws.com");
  CHECK(endpoint("https://bedrock-runtime.cn-north-1.amazonaws.com.cn", "cn-north-1") ==
        "https://sts.cn-north-1.amazonaws.com.cn");
  CHECK(endpoint("https://vpce-1.bedrock-runtime.eu-west-3.vpce.amazonaws.com", "eu-west-3") ==
        "https://sts.eu-west-3.amazonaws.com");
}

TEST_CASE("a private set-up never sees this host call AWS by surprise") {
  for (const std::string upstream :
       {"", "http://127.0.0.1:8080", "https://bedrock.example.com",
        "http://bedrock-runtime.eu-central-1.amazonaws.com",  // not https
        "https://bedrock-runtime.us-east-1.amazonaws.com",    // another Region
        "https://bedrock-runtime.eu-central-1.amazonaws.com.example.com",
        "https://bedrock-runtime.eu-central-1.evilamazonaws.com",
        "https://example.com/bedrock-runtime.eu-central-1.amazonaws.com",
        "https://example.com?bedrock-runtime.eu-central-1.amazonaws.com",
        "https://example.com#.bedrock-runtime.eu-central-1.amazonaws.com",
        "https://s3.eu-central-1.amazonaws.com", "bedrock-runtime.eu-central-1.amazonaws.com"}) {
    INFO(upstream);
    CHECK(endpoint(upstream, "eu-central-1") == "none");
  }
  CHECK(endpoint("https://bedrock-runtime.eu-central-1.amazonaws.com", "") == "none");
}

TEST_CASE("an STS that is configured is asked, whatever the upstream is") {
  CHECK(endpoint("http://127.0.0.1:8080", "eu-central-1", "http://127.0.0.1:9") ==
        "http://127.0.0.1:9");
  const Variables variables{{"AWS_ENDPOINT_URL_STS", "http://127.0.0.1:8"}};
  CHECK(endpoint("http://127.0.0.1:8080", "eu-central-1", "", variables) == "http://127.0.0.1:8");
  CHECK(endpoint("https://bedrock-runtime.eu-central-1.amazonaws.com", "eu-central-1",
                 "http://127.0.0.1:9", variables) == "http://127.0.0.1:9");
}

TEST_CASE("who we are is asked once") {
  Lookup host;
  host.scene.http.answer = [](const auto&) { return http_response(200, kAnswer); };
  CHECK(host.asked() == 0);
  CHECK(host.lookup.due() == host.scene.steady_now);
  const auto& identity = host.lookup.poll();
  REQUIRE(identity);
  CHECK(identity->account_id == "123456789012");
  CHECK(identity->arn == "arn:aws:sts::123456789012:assumed-role/r/s");
  CHECK(!host.lookup.due());
  host.scene.pass(1000h);
  CHECK(host.lookup.poll());
  CHECK(host.asked() == 1);
}

TEST_CASE(
    "while STS does not answer it is asked after 1 s growing to 5 minutes, at half at least") {
  for (const double random : {0.0, 1.0}) {
    Lookup host;
    host.scene.random = random;
    host.scene.http.answer = [](const auto&) {
      return http_response(403, sts_error("AccessDenied", "no, hushhush"));
    };
    std::size_t expected = 0;
    for (const auto wait : {1s, 2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s, 300s, 300s}) {
      CHECK(!host.lookup.poll());
      CHECK(host.asked() == ++expected);
      const std::chrono::milliseconds due =
          std::chrono::milliseconds(wait) / (random == 0.0 ? 2 : 1);
      CHECK(host.lookup.due() == host.scene.steady_now + due);
      host.scene.pass(due - 1ms);
      CHECK(!host.lookup.poll());
      CHECK(host.asked() == expected);
      host.scene.pass(1ms);
    }
    REQUIRE(host.lookup.last_failure());
    CHECK(contains(host.lookup.last_failure()->message, "GetCallerIdentity: AccessDenied"));
    CHECK(!contains(host.lookup.last_failure()->message, "hushhush"));
    host.scene.http.answer = [](const auto&) { return http_response(200, kAnswer); };
    CHECK(host.lookup.poll());
    CHECK(!host.lookup.last_failure());
  }
}

TEST_CASE("who we are is asked again for another key, and the last answer stays until the next") {
  Lookup host;
  host.scene.http.answer = [](const auto&) { return http_response(200, kAnswer); };
  CHECK(host.lookup.poll()->access_key_id == "AKID");
  CHECK(host.lookup.poll("AKID"));
  CHECK(host.asked() == 1);
  host.keys.id = "AKIDTWO";
  host.scene.http.answer = [](const auto&) {
    return http_response(503, sts_error("ServiceUnavailable", "not now"));
  };
  CHECK(host.lookup.poll("AKIDTWO")->access_key_id == "AKID");
  CHECK(host.lookup.last_failure());
  CHECK(host.asked() == 2);
  host.lookup.poll("AKIDTWO");
  CHECK(host.asked() == 2);  // not before a second is over
  host.scene.pass(1s);
  host.scene.http.answer = [](const auto&) { return http_response(200, kAnswer); };
  CHECK(host.lookup.poll("AKIDTWO")->access_key_id == "AKIDTWO");
  CHECK(!host.lookup.last_failure());
  CHECK(host.asked() == 3);
  // Whoever signs with a key that the next answer is not about any more does not ask all the time.
  host.lookup.poll("AKIDOLD");
  host.lookup.poll("AKIDOLD");
  CHECK(host.asked() == 4);
}

TEST_CASE("an STS that may answer in a moment is worth a minute's wait") {
  Lookup host;
  CHECK(host.lookup.worth_waiting());
  host.scene.http.answer = [](const auto&) {
    return http_response(400, sts_error("Throttling", "Rate exceeded"));
  };
  host.lookup.poll();
  CHECK(host.lookup.worth_waiting());
  host.scene.pass(59s);
  host.lookup.poll();
  CHECK(host.lookup.worth_waiting());
  host.scene.pass(1s);
  CHECK(!host.lookup.worth_waiting());
  host.scene.pass(1h);
  host.scene.http.answer = [](const auto&) { return http_response(200, kAnswer); };
  CHECK(host.lookup.poll());
  CHECK(!host.lookup.worth_waiting());
}

TEST_CASE("an STS that refuses is not waited for") {
  Lookup host;
  host.scene.http.answer = [](const auto&) {
    return http_response(403, sts_error("AccessDenied", "no"));
  };
  host.lookup.poll();
  CHECK(!host.lookup.worth_waiting());
}

TEST_CASE("credentials that are still to come are waited for, and looked for each second") {
  Lookup host;
  host.keys.there = false;
  for (int second = 0; second < 200; ++second) {
    CHECK(!host.lookup.poll());
    CHECK(host.lookup.worth_waiting());
    host.scene.pass(1s);
  }
  CHECK(host.asked() == 0);
  host.keys.there = true;
  host.scene.http.answer = [](const auto&) { return http_response(200, kAnswer); };
  CHECK(host.lookup.poll());
}
