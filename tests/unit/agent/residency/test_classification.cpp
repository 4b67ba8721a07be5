#include "agent/residency/classification.h"

#include "tests/catch.h"

using namespace invlog::residency;

namespace {

std::shared_ptr<const Profile> known(std::string_view id) {
  Profile profile;
  profile.id = id;
  if (id == "eu.amazon.nova-2-lite-v1:0") {
    profile.scope = Scope::geographic;
    profile.geography = "eu";
    profile.models = {"amazon.nova-2-lite-v1:0"};
    profile.destinations = {"eu-central-1", "eu-west-1"};
  } else if (id == "us.amazon.nova-lite-v1:0") {
    profile.scope = Scope::geographic;
    profile.geography = "us";
  } else if (id == "global.amazon.nova-2-lite-v1:0") {
    profile.scope = Scope::global;
    profile.geography = "global";
    profile.models = {"amazon.nova-2-lite-v1:0"};
    profile.origin = Profile::Origin::service;
  } else if (id == "1arbu5hu2sjr") {
    profile.kind = Profile::Kind::application;
    profile.scope = Scope::in_region;
    profile.models = {"amazon.nova-lite-v1:0"};
    profile.destinations = {"eu-central-1"};
    profile.origin = Profile::Origin::service;
  } else {
    return nullptr;
  }
  return std::make_shared<const Profile>(profile);
}

struct Row {
  const char* model_id;
  const char* scope;
  const char* destinations;
  const char* profile;
  const char* model;
  const char* source;
};

constexpr const char* kMissing = "no such profile in the catalogue";

constexpr Row kRows[] = {
    // ids
    {"eu.amazon.nova-2-lite-v1:0", "geographic", "eu-central-1,eu-west-1",
     "eu.amazon.nova-2-lite-v1:0", "amazon.nova-2-lite-v1:0", "the catalogue (built in)"},
    {"us.amazon.nova-lite-v1:0", "geographic", "", "us.amazon.nova-lite-v1:0", "",
     "the catalogue (built in), which knows the profile but not its destinations"},
    {"global.amazon.nova-2-lite-v1:0", "global", "*", "global.amazon.nova-2-lite-v1:0",
     "amazon.nova-2-lite-v1:0", "the catalogue"},
    {"1arbu5hu2sjr", "in-region", "eu-central-1", "1arbu5hu2sjr", "amazon.nova-lite-v1:0",
     "the catalogue"},
    {"amazon.nova-lite-v1:0", "in-region", "eu-central-1", "", "amazon.nova-lite-v1:0",
     "a model's id"},
    {"ai21.jamba-1-5-large-v1:0", "in-region", "eu-central-1", "", "ai21.jamba-1-5-large-v1:0",
     "a model's id"},
    {"deepseek.v3.1", "in-region", "eu-central-1", "", "deepseek.v3.1", "a model's id"},
    {"minimax.minimax-m2.1", "in-region", "eu-central-1", "", "minimax.minimax-m2.1",
     "a model's id"},
    // A prefix proves nothing, known or not.
    {"eu.amazon.nova-9-v1:0", "", "", "eu.amazon.nova-9-v1:0", "amazon.nova-9-v1:0", kMissing},
    {"global.amazon.nova-9-v1:0", "", "", "global.amazon.nova-9-v1:0", "amazon.nova-9-v1:0",
     kMissing},
    {"uk.anthropic.claude-9-v1:0", "", "", "uk.anthropic.claude-9-v1:0", "anthropic.claude-9-v1:0",
     kMissing},
    {"mea.ai21.jamba-9-v1:0", "", "", "mea.ai21.jamba-9-v1:0", "ai21.jamba-9-v1:0", kMissing},
    {"", "", "", "", "", "neither a model's id nor a profile of the catalogue"},
    {"9arbu5hu2sjr", "", "", "9arbu5hu2sjr", "", kMissing},
    {"no/id", "", "", "", "", "neither a model's id nor a profile of the catalogue"},
    {"../a.b", "", "", "", "", "neither a model's id nor a profile of the catalogue"},
    // ARNs of models
    {"arn:aws:bedrock:eu-central-1::foundation-model/amazon.nova-lite-v1:0", "in-region",
     "eu-central-1", "", "amazon.nova-lite-v1:0", "a model's ARN"},
    {"arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", "geographic", "us-east-1",
     "", "amazon.nova-lite-v1:0", "a model's ARN"},
    {"arn:aws:bedrock:::foundation-model/amazon.nova-2-lite-v1:0", "global", "*", "",
     "amazon.nova-2-lite-v1:0", "a model's ARN without a Region"},
    {"arn:aws:bedrock:eu-central-1::foundation-model/global.amazon.nova-2-lite-v1:0", "", "", "",
     "", "an inference profile's id in a model's ARN"},
    // ARNs of profiles
    {"arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.amazon.nova-2-lite-v1:0",
     "geographic", "eu-central-1,eu-west-1", "eu.amazon.nova-2-lite-v1:0",
     "amazon.nova-2-lite-v1:0", "the catalogue (built in)"},
    {"arn:aws:bedrock:eu-west-2:123456789012:inference-profile/eu.amazon.nova-2-lite-v1:0", "", "",
     "eu.amazon.nova-2-lite-v1:0", "amazon.nova-2-lite-v1:0",
     "a profile of eu-west-2, not of the source Region"},
    {"arn:aws:bedrock::123456789012:inference-profile/eu.amazon.nova-2-lite-v1:0", "", "",
     "eu.amazon.nova-2-lite-v1:0", "amazon.nova-2-lite-v1:0",
     "a profile of no Region, not of the source Region"},
    {"arn:aws:bedrock:::inference-profile/global.amazon.nova-2-lite-v1:0", "global", "*",
     "global.amazon.nova-2-lite-v1:0", "amazon.nova-2-lite-v1:0",
     "a profile of no Region, not of the source Region"},
    {"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/global.amazon.nova-v1:0",
     "", "", "global.amazon.nova-v1:0", "amazon.nova-v1:0",
     "a profile of us-east-1, not of the source Region"},
    {"arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/1arbu5hu2sjr",
     "in-region", "eu-central-1", "1arbu5hu2sjr", "amazon.nova-lite-v1:0", "the catalogue"},
    {"arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/9arbu5hu2sjr", "", "",
     "9arbu5hu2sjr", "", kMissing},
    // An application profile cannot borrow a system profile's name.
    {"arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/"
     "eu.amazon.nova-2-lite-v1:0",
     "", "", "eu.amazon.nova-2-lite-v1:0", "amazon.nova-2-lite-v1:0", kMissing},
    // ARNs of what lives in one Region
    {"arn:aws:bedrock:eu-central-1:123456789012:provisioned-model/abcdefghijkl", "in-region",
     "eu-central-1", "", "", "the ARN of one provisioned-model"},
    {"arn:aws:bedrock:eu-central-1:123456789012:custom-model/amazon.nova-lite-v1:0/abcdefghijkl",
     "in-region", "eu-central-1", "", "", "the ARN of one custom-model"},
    {"arn:aws:bedrock:eu-central-1:123456789012:custom-model-deployment/abcdefghijkl", "in-region",
     "eu-central-1", "", "", "the ARN of one custom-model-deployment"},
    {"arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl", "geographic",
     "us-east-1", "", "", "the ARN of one imported-model"},
    {"arn:aws:sagemaker:eu-central-1:123456789012:endpoint/mine", "in-region", "eu-central-1", "",
     "", "the ARN of one endpoint"},
    // ARNs of what may run on a profile
    {"arn:aws:bedrock:eu-central-1:123456789012:prompt/ABCDEFGHIJ:1", "", "", "", "",
     "a prompt, whose model may be an inference profile"},
    {"arn:aws:bedrock:eu-central-1:123456789012:prompt-router/mine", "", "", "", "",
     "a prompt-router, whose model may be an inference profile"},
    {"arn:aws:bedrock:eu-central-1:123456789012:default-prompt-router/anthropic.claude:1", "", "",
     "", "", "a default-prompt-router, whose model may be an inference profile"},
    // ARNs of nothing
    {"arn:aws:s3:::bucket/key", "", "", "", "", "an ARN of a kind that is not known"},
    {"arn:aws:bedrock::123456789012:provisioned-model/abc", "", "", "", "",
     "an ARN of a kind that is not known"},
    {"arn:aws:bedrock:eu-central-1", "", "", "", "", "a damaged ARN"},
    {"arn:aws:bedrock:eu-central-1:123456789012:inference-profile/", "", "", "", "",
     "a damaged ARN"},
};

}  // namespace

TEST_CASE("what a model id says of where it is processed", "[residency]") {
  for (const Row& row : kRows) {
    CAPTURE(row.model_id);
    const Classification result = classify(row.model_id, "eu-central-1", known);
    CHECK(to_string(result.scope) == row.scope);
    CHECK(result.destinations_text() == row.destinations);
    CHECK(result.profile == row.profile);
    CHECK(result.model == row.model);
    CHECK(result.source == row.source);
  }
}

TEST_CASE("without a catalogue a profile is unknown and a model is not", "[residency]") {
  CHECK(classify("eu.amazon.nova-2-lite-v1:0", "eu-central-1", {}).scope == Scope::unknown);
  CHECK(classify("amazon.nova-lite-v1:0", "eu-central-1", {}).scope == Scope::in_region);
}
