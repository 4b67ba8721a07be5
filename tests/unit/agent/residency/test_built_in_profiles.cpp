#include "agent/residency/built_in_profiles.h"

#include <algorithm>

#include "tests/catch.h"

using namespace invlog::residency;

namespace {

// "-": not known. "?": known by name, without destinations.
std::string destinations(const std::string& id, const std::string& source) {
  const auto profile = built_in_profile(id, source);
  if (!profile) {
    return "-";
  }
  const std::string text = destinations_text(*profile);
  return text.empty() ? "?" : text;
}

const std::string kEu6 = "eu-central-1,eu-north-1,eu-south-1,eu-south-2,eu-west-1,eu-west-3";
const std::string kHaiku = "eu.anthropic.claude-haiku-4-5-20251001-v1:0";
const std::string kSonnet4 = "eu.anthropic.claude-sonnet-4-20250514-v1:0";

struct Row {
  std::string id, source, destinations;
};

// AWS's tables, facts/bedrock.md §5.3.
const Row kRows[] = {
    {kHaiku, "eu-central-1", kEu6},
    {kHaiku, "eu-south-2", kEu6},
    {kHaiku, "eu-west-2",
     "eu-central-1,eu-north-1,eu-south-1,eu-south-2,eu-west-1,eu-west-2,eu-west-3"},
    {kHaiku, "eu-central-2",
     "eu-central-1,eu-central-2,eu-north-1,eu-south-1,eu-south-2,eu-west-1,eu-west-3"},
    {kHaiku, "il-central-1", "-"},
    {kHaiku, "us-east-1", "-"},
    {"eu.twelvelabs.pegasus-1-2-v1:0", "eu-west-2",
     "eu-central-1,eu-north-1,eu-south-1,eu-south-2,eu-west-1,eu-west-2,eu-west-3"},
    {kSonnet4, "eu-west-3", kEu6},
    {kSonnet4, "eu-west-2", "-"},
    {kSonnet4, "eu-central-2", "-"},
    {kSonnet4, "il-central-1",
     "eu-central-1,eu-north-1,eu-south-1,eu-south-2,eu-west-1,eu-west-3,il-central-1"},
    {"eu.amazon.nova-2-lite-v1:0", "eu-north-1", kEu6},
    {"eu.amazon.nova-2-lite-v1:0", "eu-west-2", "-"},
    {"eu.cohere.embed-v4:0", "eu-central-2", "-"},
    {"eu.amazon.nova-lite-v1:0", "eu-central-1", "eu-central-1,eu-north-1,eu-west-1,eu-west-3"},
    {"eu.amazon.nova-pro-v1:0", "eu-south-1",
     "eu-central-1,eu-north-1,eu-south-1,eu-west-1,eu-west-3"},
    {"eu.amazon.nova-micro-v1:0", "eu-south-2",
     "eu-central-1,eu-north-1,eu-south-2,eu-west-1,eu-west-3"},
    {"eu.amazon.nova-lite-v1:0", "il-central-1",
     "eu-central-1,eu-north-1,eu-south-1,eu-west-1,eu-west-3,il-central-1"},
    {"eu.amazon.nova-lite-v1:0", "eu-west-2", "-"},
    {"eu.anthropic.claude-3-7-sonnet-20250219-v1:0", "eu-west-1",
     "eu-central-1,eu-north-1,eu-west-1,eu-west-3"},
    {"eu.mistral.pixtral-large-2502-v1:0", "eu-south-1", "-"},
    {"eu.meta.llama3-2-1b-instruct-v1:0", "eu-west-3", "eu-central-1,eu-west-1,eu-west-3"},
    {"eu.anthropic.claude-3-haiku-20240307-v1:0", "eu-north-1", "-"},
    {"eu.twelvelabs.marengo-embed-3-0-v1:0", "eu-west-1", kEu6},
    {"eu.twelvelabs.marengo-embed-3-0-v1:0", "eu-central-1", "-"},
    {"jp.anthropic.claude-sonnet-4-5-20250929-v1:0", "ap-northeast-3",
     "ap-northeast-1,ap-northeast-3"},
    {"jp.anthropic.claude-sonnet-4-5-20250929-v1:0", "ap-southeast-1", "-"},
    {"au.anthropic.claude-sonnet-4-5-20250929-v1:0", "ap-southeast-2",
     "ap-southeast-2,ap-southeast-4"},
    {"au.anthropic.claude-sonnet-4-5-20250929-v1:0", "ap-southeast-1", "-"},
    {"ca.amazon.nova-lite-v1:0", "ca-west-1", "ca-central-1,ca-west-1"},
    {"ca.amazon.nova-pro-v1:0", "ca-west-1", "-"},
    {"us.amazon.nova-lite-v1:0", "us-east-1", "?"},
    {"us.amazon.nova-lite-v1:0", "eu-central-1", "-"},
    {"us.amazon.nova-lite-v1:0", "us-gov-west-1", "-"},
    {"us-gov.amazon.nova-lite-v1:0", "us-gov-west-1", "?"},
    {"apac.amazon.nova-lite-v1:0", "ap-south-1", "?"},
    {"global.anthropic.claude-haiku-4-5-20251001-v1:0", "eu-west-2", "*"},
    {"global.anthropic.claude-opus-4-5-20251101-v1:0", "eu-central-2", "*"},
    {"global.anthropic.claude-sonnet-4-20250514-v1:0", "eu-west-1", "*"},
    // Nothing could be worse than what a "global." that nobody knows is taken for, from there.
    {"global.anthropic.claude-sonnet-4-20250514-v1:0", "eu-central-1", "*"},
    {"global.anthropic.claude-9-v1:0", "eu-central-1", "*"},
    {"global.anthropic.claude-9-v1:0", "us-gov-west-1", "-"},
    {"eu.anthropic.claude-9-v1:0", "eu-central-1", "-"},
    {"uk.anthropic.claude-9-v1:0", "eu-west-2", "-"},
    {"amazon.nova-lite-v1:0", "eu-central-1", "-"},
    {"jp.", "ap-northeast-1", "-"},
    {"global.x", "eu-central-1", "-"},
    {"", "eu-central-1", "-"},
};

}  // namespace

TEST_CASE("destinations by profile and source Region are those of AWS's tables", "[residency]") {
  for (const Row& row : kRows) {
    CAPTURE(row.id, row.source);
    CHECK(destinations(row.id, row.source) == row.destinations);
  }
}

TEST_CASE("sources in the EU never leave the EU, nor reach London or Zurich", "[residency]") {
  for (const char* source :
       {"eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-3"}) {
    for (const auto& profile : built_in_profiles(source)) {
      CAPTURE(source, profile->id);
      CHECK(profile->origin == Profile::Origin::built_in);
      CHECK(profile->learned_at_us == 0);
      CHECK((profile->scope == Scope::global) == profile->id.starts_with("global."));
      for (const std::string& destination : profile->destinations) {
        CHECK(destination.starts_with("eu-"));
        CHECK(destination != "eu-west-2");
        CHECK(destination != "eu-central-2");
      }
    }
  }
}

TEST_CASE("a source always is one of its own destinations, and they are sorted", "[residency]") {
  for (const char* source : {"eu-central-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2",
                             "eu-central-2", "il-central-1", "ca-west-1"}) {
    for (const auto& profile : built_in_profiles(source)) {
      if (profile->scope == Scope::geographic) {
        CAPTURE(source, profile->id);
        const auto& destinations = profile->destinations;
        CHECK(std::find(destinations.begin(), destinations.end(), source) != destinations.end());
        CHECK(std::is_sorted(destinations.begin(), destinations.end()));
        CHECK(profile->models ==
              std::vector<std::string>{profile->id.substr(profile->id.find('.') + 1)});
      }
    }
  }
}
