#include "agent/residency/profile_service.h"

#include "agent/residency/profile_client.h"
#include "tests/catch.h"
#include "tests/unit/agent/config/config_text.h"
#include "tests/unit/agent/delivery/delivery_scene.h"
#include "tests/unit/agent/residency/profile_texts.h"
#include "tests/unit/exporters/aws/scripted_http_client.h"

using namespace invlog::residency;
using namespace invlog::tests;
using invlog::aws::FailureKind;
using invlog::aws::HttpFailure;

namespace {

using std::chrono::milliseconds;

const std::string kModel = "amazon.nova-2-lite-v1:0";
const std::string kEu = profile_json("eu." + kModel, kModel, {"eu-central-1", "eu-west-1"});
const std::string kApplication =
    profile_json("1arbu5hu2sjr", kModel, {"eu-central-1", "eu-west-1"}, true);
constexpr const char* kNoMore = R"({"inferenceProfileSummaries":[]})";

struct ClientScene {
  ClientScene()
      : bedrock(profile_service_options("eu-central-1", "http://127.0.0.1:5000"), http,
                credentials),
        client(bedrock, {[this](milliseconds wait) {
                           waits.push_back(wait);
                           return go_on;
                         },
                         [] { return 0.5; }, [] { return std::int64_t{7}; }}) {}

  ScriptedHttpClient http;
  FixedCredentials credentials;
  invlog::aws::ServiceClient bedrock;
  std::vector<milliseconds> waits;
  bool go_on = true;
  ProfileClient client;
};

}  // namespace

TEST_CASE("profiles of both types are listed, page by page, signed for bedrock", "[residency]") {
  ClientScene scene;
  scene.http.answer(200, page_json({kEu}, "next+/="));
  scene.http.answer(200, page_json({"null"}));
  scene.http.answer(200, page_json({kApplication}));
  const ProfileListing listing = scene.client.list();
  CHECK(!listing.failure);
  REQUIRE(listing.profiles.size() == 2);
  CHECK(listing.profiles[1].id == "1arbu5hu2sjr");
  CHECK(listing.profiles[1].learned_at_us == 7);
  CHECK(listing.problems.size() == 1);
  REQUIRE(scene.http.seen.size() == 3);
  const std::string url = "http://127.0.0.1:5000/inference-profiles?maxResults=1000";
  CHECK(scene.http.seen[0].url == url + "&type=SYSTEM_DEFINED");
  CHECK(scene.http.seen[1].url == url + "&nextToken=next%2B%2F%3D&type=SYSTEM_DEFINED");
  CHECK(scene.http.seen[2].url == url + "&type=APPLICATION");
  CHECK(scene.http.seen[0].method == "GET");
  CHECK_THAT(scene.http.seen[0].header("authorization"),
             contains_text("/eu-central-1/bedrock/aws4_request"));
}

TEST_CASE("pages that do not end are left, with what they gave", "[residency]") {
  ClientScene scene;
  scene.http.answer(200, page_json({kEu}, "again"));
  scene.http.answer(200, page_json({kEu}, "again"));
  const ProfileListing listing = scene.client.list();
  REQUIRE(listing.failure);
  CHECK_THAT(listing.failure->message, contains_text("its pages do not end"));
  CHECK(listing.profiles.size() == 2);
  CHECK(scene.http.seen.size() == 2);
}

TEST_CASE("what may pass is tried again, and what will not is not", "[residency]") {
  ClientScene scene;
  scene.http.answer(503, "");
  scene.http.answer(429, R"({"message":"slow"})", {{"x-amzn-errortype", "ThrottlingException"}});
  scene.http.answer(200, page_json({kEu}));
  scene.http.answer(403, R"({"message":"no"})", {{"x-amzn-errortype", "AccessDeniedException"}});
  const ProfileListing listing = scene.client.list();
  CHECK(scene.waits.size() == 2);
  CHECK(listing.profiles.size() == 1);
  REQUIRE(listing.failure);
  CHECK(listing.failure->kind == FailureKind::denied);

  ClientScene away;  // the script has no answers
  CHECK(away.client.list().failure->kind == FailureKind::transient);
  CHECK(away.waits.size() == 3);
  ClientScene stopped;
  stopped.go_on = false;
  CHECK(stopped.client.list().failure);
  CHECK(stopped.http.seen.size() == 1);
}

TEST_CASE("one profile is asked for by id or ARN, which is encoded", "[residency]") {
  ClientScene scene;
  scene.http.answer(200, kApplication);
  const std::string arn =
      "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/1arbu5hu2sjr";
  CHECK(scene.client.get(arn)->id == "1arbu5hu2sjr");
  CHECK(scene.http.seen[0].url ==
        "http://127.0.0.1:5000/inference-profiles/"
        "arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3Aapplication-inference-profile%"
        "2F1arbu5hu2sjr");
  scene.http.answer(200, kApplication);
  CHECK_THAT(scene.client.get("another").error().message, contains_text("it is of 1arbu5hu2sjr"));
  scene.http.answer(200, "<html>");
  CHECK_THAT(scene.client.get("another").error().message, contains_text("makes no sense"));
  scene.http.answer(404, R"({"message":"none"})",
                    {{"x-amzn-errortype", "ResourceNotFoundException"}});
  CHECK(scene.client.get("another").error().kind == FailureKind::not_found);
}

TEST_CASE("the control plane is asked where it is configured, or AWS's own", "[residency]") {
  invlog::config::AgentConfig configuration;
  configuration.region = "eu-central-1";
  const auto endpoint = [&](const std::string& upstream, const std::string& variable = "") {
    configuration.upstream = upstream;
    return profile_endpoint(configuration,
                            variable.empty()
                                ? environment_of({})
                                : environment_of({{"AWS_ENDPOINT_URL_BEDROCK", variable}}))
        .value_or("-");
  };
  CHECK(endpoint("https://bedrock-runtime.eu-central-1.amazonaws.com") ==
        "https://bedrock.eu-central-1.amazonaws.com");
  CHECK(endpoint("https://bedrock-runtime-fips.eu-central-1.amazonaws.com") ==
        "https://bedrock.eu-central-1.amazonaws.com");
  CHECK(endpoint("https://bedrock-runtime.us-east-1.amazonaws.com") == "-");
  CHECK(endpoint("http://127.0.0.1:8080") == "-");
  CHECK(endpoint("http://127.0.0.1:8080", "http://127.0.0.1:1") == "http://127.0.0.1:1");
  configuration.aws.bedrock_endpoint = "http://127.0.0.1:2";
  CHECK(endpoint("http://127.0.0.1:8080", "http://127.0.0.1:1") == "http://127.0.0.1:2");
}

namespace {

struct ServiceScene {
  explicit ServiceScene(const std::string& endpoint = "http://127.0.0.1:5000")
      : script(new ScriptedHttpClient), configuration(configuration_of(store)) {
    configuration.aws.bedrock_endpoint = endpoint;
    options.http.reset(script);
    options.between_questions = milliseconds(1);
  }
  void make() {
    service = std::make_unique<ProfileService>(configuration, credentials, environment_of({}),
                                               catalogue, std::move(options));
    service->start();
  }
  // Without find(), which would note what is not there yet.
  bool knows(const std::string& id) const {
    return eventually([&] {
      for (const auto& profile : catalogue.profiles()) {
        if (profile->id == id && profile->origin == Profile::Origin::service) {
          return true;
        }
      }
      return false;
    });
  }

  const ExampleStore store;
  FixedCredentials credentials;
  ScriptedHttpClient* script;
  invlog::config::AgentConfig configuration;
  ProfileServiceOptions options;
  Catalogue catalogue{"eu-central-1"};
  std::unique_ptr<ProfileService> service;
};

}  // namespace

TEST_CASE("the service is asked at the start and again, and the store keeps it", "[residency]") {
  ServiceScene scene;
  scene.options.refresh = milliseconds(20);
  scene.script->answer(200, page_json({kEu}));
  scene.script->answer(200, page_json({kApplication}));
  scene.script->answer(200, page_json({profile_json("eu.a.b", "a.b", {"eu-west-1"})}));
  scene.script->answer(200, kNoMore);
  scene.make();
  CHECK(scene.knows("eu.a.b"));
  CHECK(scene.knows("1arbu5hu2sjr"));
  scene.service->stop();

  ServiceScene next("");  // may ask nobody
  next.configuration.state_dir = scene.configuration.state_dir;
  next.make();
  CHECK(next.service->endpoint().empty());
  CHECK(next.knows("1arbu5hu2sjr"));
  CHECK(next.catalogue.find("1arbu5hu2sjr")->wraps == "eu." + kModel);
}

TEST_CASE("a service that refuses takes nothing away and is asked again", "[residency]") {
  ServiceScene scene;
  scene.options.retry = milliseconds(20);
  for (int i = 0; i < 2; ++i) {
    scene.script->answer(403, R"({"message":"no"})",
                         {{"x-amzn-errortype", "AccessDeniedException"}});
  }
  scene.script->answer(200, page_json({kEu}));
  scene.script->answer(200, kNoMore);
  scene.make();
  CHECK(scene.catalogue.find("eu." + kModel));  // built in, at once
  CHECK(scene.knows("eu." + kModel));
}

TEST_CASE("a profile that a call names and nobody knows is asked for", "[residency]") {
  ServiceScene scene;
  scene.script->answer(200, page_json({kEu}));
  scene.script->answer(200, kNoMore);
  scene.script->answer(200, kApplication);
  scene.make();
  CHECK(scene.knows("eu." + kModel));
  CHECK(!scene.catalogue.find("1arbu5hu2sjr"));
  CHECK(scene.knows("1arbu5hu2sjr"));
  scene.service->stop();
  CHECK(scene.script->seen.size() == 3);
}

TEST_CASE("a profile that stayed unknown is asked for again when a call names it later",
          "[residency]") {
  const bool transient = GENERATE(false, true);
  ServiceScene scene;
  (transient ? scene.options.ask_again_soon : scene.options.ask_again) = milliseconds(1);
  scene.script->answer(200, page_json({kEu}));
  scene.script->answer(200, kNoMore);
  // Each question is tried so often while the failure may pass.
  for (int attempt = 0; attempt < (transient ? 4 : 1); ++attempt) {
    scene.script->answer(transient ? 503 : 404, R"({"message":"none"})",
                         {{"x-amzn-errortype",
                           transient ? "ServiceUnavailableException" : "ResourceNotFoundException"},
                          {"retry-after", "0"}});
  }
  scene.script->answer(200, kApplication);
  scene.make();
  CHECK(scene.knows("eu." + kModel));
  CHECK(eventually([&] { return scene.catalogue.find("1arbu5hu2sjr") != nullptr; }));
}

TEST_CASE("a service that waits for another attempt stops at once", "[residency]") {
  ServiceScene scene;
  scene.script->answer(429, "",
                       {{"x-amzn-errortype", "ThrottlingException"}, {"retry-after", "100"}});
  scene.make();
  const auto begin = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(milliseconds(5));
  scene.service->stop();
  scene.service->stop();
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(2));
}
