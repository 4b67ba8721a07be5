#include "agent/residency/profile_answer.h"

#include "tests/catch.h"

using namespace invlog::residency;

namespace {

constexpr AnswerContext kContext{"us-east-1", 1'764'000'000'000'000};

// As the service answered; facts/bedrock.md §5.4.
constexpr const char* kReal =
    R"({"createdAt":"2026-07-13T14:00:42.680622107Z","description":"...",)"
    R"("inferenceProfileArn":"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/1arbu5hu2sjr",)"
    R"("inferenceProfileId":"1arbu5hu2sjr","inferenceProfileName":"dd-frmlo206",)"
    R"("models":[{"modelArn":"arn:aws:bedrock:::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0"},)"
    R"({"modelArn":"arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0"}],)"
    R"("status":"ACTIVE","toolboxArn":null,"type":"APPLICATION","updatedAt":"..."})";

std::string with_models(const std::string& arns) {
  return R"({"inferenceProfileArn":"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.a.b",)"
         R"("inferenceProfileId":"us.a.b","type":"SYSTEM_DEFINED","models":[)" +
         arns + "]}";
}

std::string model(const std::string& region) {
  return R"({"modelArn":"arn:aws:bedrock:)" + region + R"(::foundation-model/a.b"})";
}

std::string problem(std::string json, const std::string& what = "", const std::string& with = "") {
  if (!what.empty()) {
    REQUIRE(json.find(what) != std::string::npos);
    json.replace(json.find(what), what.size(), with);
  }
  const auto profile = parse_profile(json, kContext);
  return profile ? "" : profile.error();
}

}  // namespace

TEST_CASE("a model ARN without a Region means that the profile is global", "[residency]") {
  const auto profile = parse_profile(kReal, kContext);
  REQUIRE(profile);
  CHECK(profile->id == "1arbu5hu2sjr");
  CHECK(profile->arn ==
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/1arbu5hu2sjr");
  CHECK(profile->name == "dd-frmlo206");
  CHECK(profile->kind == Profile::Kind::application);
  CHECK(profile->origin == Profile::Origin::service);
  CHECK(profile->scope == Scope::global);
  CHECK(destinations_text(*profile) == "*");
  CHECK(profile->models == std::vector<std::string>{"anthropic.claude-haiku-4-5-20251001-v1:0"});
  CHECK(profile->learned_at_us == kContext.now_us);
}

TEST_CASE("destinations are the Regions of the models, sorted and each once", "[residency]") {
  const auto profile = parse_profile(
      with_models(model("us-west-2") + "," + model("us-east-1") + "," + model("us-east-2") + "," +
                  model("us-west-2") + "," + model("us-west-1") + "," + model("ca-central-1") +
                  "," + model("us-east-1")),
      kContext);
  REQUIRE(profile);
  CHECK(profile->scope == Scope::geographic);
  CHECK(profile->geography == "us");
  CHECK(destinations_text(*profile) == "ca-central-1,us-east-1,us-east-2,us-west-1,us-west-2");
}

TEST_CASE("one Region is in-region only if it is the source Region", "[residency]") {
  const auto here = parse_profile(with_models(model("us-east-1")), kContext);
  REQUIRE(here);
  CHECK(here->scope == Scope::in_region);
  CHECK(here->geography.empty());
  const auto elsewhere = parse_profile(with_models(model("us-west-2")), kContext);
  REQUIRE(elsewhere);
  CHECK(elsewhere->scope == Scope::geographic);
  CHECK(destinations_text(*elsewhere) == "us-west-2");
}

TEST_CASE("an answer that makes no sense says where and why", "[residency]") {
  const std::string good = with_models(model("us-east-1"));
  CHECK(problem(good).empty());
  CHECK_THAT(problem("[]"), contains_text("no JSON object"));
  CHECK_THAT(problem(good, "]}", ""), contains_text("no JSON object"));
  CHECK(problem(good, "\"us.a.b\"", "7") == "inferenceProfileId: no text");
  CHECK(problem(good, "\"us.a.b\"", "null") == "inferenceProfileId: missing");
  CHECK(problem(good, "\"us.a.b\"", "\"us,a\"") == "inferenceProfileId: \"us,a\" is none");
  CHECK_THAT(problem(good, "\"us.a.b\"", "\"eu.a.b\""),
             contains_text("is not the ARN of \"eu.a.b\""));
  CHECK_THAT(problem(good, "us-east-1:1", "eu-west-2:1"),
             contains_text("is not of the source Region us-east-1"));
  CHECK_THAT(problem(good, "SYSTEM_DEFINED", "OTHER\\n"), contains_text("type: \"OTHER"));
  CHECK(problem(with_models("")) == "models: empty");
  CHECK(problem(good, "[", "{\"a\":[").starts_with("no JSON"));
  CHECK(problem(with_models(model("us-east-1") + ",7")) == "models[1]: no object");
  CHECK(problem(with_models("{}")) == "models[0]: modelArn: missing");
  CHECK_THAT(problem(good, "foundation-model", "custom-model"),
             contains_text("is no foundation model's ARN"));
  CHECK_THAT(problem(with_models(model("us,east"))), contains_text("is no foundation model's"));
}

TEST_CASE("one bad profile of a list does not take the others away", "[residency]") {
  const std::string good = with_models(model("us-east-1"));
  const auto page = parse_profile_page(
      R"({"inferenceProfileSummaries":[)" + good + ",null," + good + R"(],"nextToken":"n1"})",
      kContext);
  REQUIRE(page);
  CHECK(page->profiles.size() == 2);
  CHECK(page->problems == std::vector<std::string>{"inferenceProfileSummaries[1]: no object"});
  CHECK(page->next_token == "n1");
  const auto last =
      parse_profile_page(R"({"inferenceProfileSummaries":[],"nextToken":null})", kContext);
  REQUIRE(last);
  CHECK(last->next_token.empty());
  CHECK(parse_profile_page("{}", kContext).error() == "inferenceProfileSummaries: no array");
  CHECK(parse_profile_page(R"({"inferenceProfileSummaries":[],"nextToken":1})", kContext).error() ==
        "nextToken: no text");
  CHECK(!parse_profile_page("<html>", kContext));
}
