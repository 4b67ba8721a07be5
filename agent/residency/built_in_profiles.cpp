#include "agent/residency/built_in_profiles.h"

#include <algorithm>
#include <optional>
#include <string>

#include "agent/residency/profile_id.h"
#include "exporters/aws/endpoints.h"

namespace invlog::residency {
namespace {

// Separated by spaces.
using Words = std::string_view;

constexpr Words kEu6 = "eu-central-1 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-3";
constexpr Words kEu4 = "eu-central-1 eu-north-1 eu-west-1 eu-west-3";
constexpr Words kEu3 = "eu-central-1 eu-west-1 eu-west-3";

// Calls from one of `sources` go to `destinations`, and some also to their own source.
struct Route {
  Words sources;
  Words destinations;
  bool and_source = false;
};

// London and Zurich are destinations of nobody but themselves.
constexpr Route kEu6AndNeighbours[] = {{kEu6, kEu6}, {"eu-west-2 eu-central-2", kEu6, true}};
constexpr Route kEu6AndIsrael[] = {{kEu6, kEu6}, {"il-central-1", kEu6, true}};
constexpr Route kEu6Only[] = {{kEu6, kEu6}};
constexpr Route kNova[] = {
    {kEu4, kEu4},
    {"eu-south-1 eu-south-2", kEu4, true},
    {"il-central-1", "eu-central-1 eu-north-1 eu-south-1 eu-west-1 eu-west-3", true}};
constexpr Route kEu4Only[] = {{kEu4, kEu4}};
constexpr Route kEu3Only[] = {{kEu3, kEu3}};
constexpr Route kFromIreland[] = {{"eu-west-1", kEu6}};
constexpr Route kCanada[] = {{"ca-central-1 ca-west-1", "ca-central-1 ca-west-1"}};
constexpr Route kJapan[] = {{"ap-northeast-1 ap-northeast-3", "ap-northeast-1 ap-northeast-3"}};
constexpr Route kAustralia[] = {{"ap-southeast-2 ap-southeast-4", "ap-southeast-2 ap-southeast-4"}};

struct Routes {
  const Route* first;
  std::size_t count;

  template <std::size_t size>
  constexpr Routes(const Route (&routes)[size]) : first(routes), count(size) {}
};

struct Geographic {
  std::string_view id;
  Routes routes;
};

constexpr Geographic kGeographic[] = {
    {"ca.amazon.nova-lite-v1:0", kCanada},
    {"eu.amazon.nova-2-lite-v1:0", kEu6Only},
    {"eu.amazon.nova-lite-v1:0", kNova},
    {"eu.amazon.nova-micro-v1:0", kNova},
    {"eu.amazon.nova-pro-v1:0", kNova},
    {"eu.anthropic.claude-3-5-sonnet-20240620-v1:0", kEu3Only},
    {"eu.anthropic.claude-3-7-sonnet-20250219-v1:0", kEu4Only},
    {"eu.anthropic.claude-3-haiku-20240307-v1:0", kEu3Only},
    {"eu.anthropic.claude-3-sonnet-20240229-v1:0", kEu3Only},
    {"eu.anthropic.claude-haiku-4-5-20251001-v1:0", kEu6AndNeighbours},
    {"eu.anthropic.claude-opus-4-5-20251101-v1:0", kEu6AndNeighbours},
    {"eu.anthropic.claude-sonnet-4-20250514-v1:0", kEu6AndIsrael},
    {"eu.anthropic.claude-sonnet-4-5-20250929-v1:0", kEu6AndNeighbours},
    {"eu.cohere.embed-v4:0", kEu6Only},
    {"eu.meta.llama3-2-1b-instruct-v1:0", kEu3Only},
    {"eu.meta.llama3-2-3b-instruct-v1:0", kEu3Only},
    {"eu.mistral.pixtral-large-2502-v1:0", kEu4Only},
    {"eu.twelvelabs.marengo-embed-2-7-v1:0", kFromIreland},
    {"eu.twelvelabs.marengo-embed-3-0-v1:0", kFromIreland},
    {"eu.twelvelabs.pegasus-1-2-v1:0", kEu6AndNeighbours},
};

constexpr std::string_view kGlobal[] = {
    "global.anthropic.claude-haiku-4-5-20251001-v1:0",
    "global.anthropic.claude-opus-4-5-20251101-v1:0",
    "global.anthropic.claude-sonnet-4-20250514-v1:0",
    "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
};
// Has few sources.
constexpr std::string_view kGlobalSonnet4 = "global.anthropic.claude-sonnet-4-20250514-v1:0";
constexpr Words kGlobalSonnet4Sources = "ap-northeast-1 eu-west-1 us-east-1 us-east-2 us-west-2";

// Known by name: their destinations differ by source and model, and the facts do not list them.
struct NameOnly {
  std::string_view prefix;
  std::string_view sources_begin;
};
constexpr NameOnly kNamesOnly[] = {{"us", "us-"}, {"apac", "ap-"}, {"us-gov", "us-gov-"}};

std::vector<std::string> split(Words words) {
  std::vector<std::string> list;
  while (!words.empty()) {
    const std::size_t space = std::min(words.find(' '), words.size());
    list.emplace_back(words.substr(0, space));
    words.remove_prefix(std::min(space + 1, words.size()));
  }
  return list;
}

bool has(Words words, std::string_view word) {
  const std::vector<std::string> list = split(words);
  return std::find(list.begin(), list.end(), word) != list.end();
}

std::optional<std::vector<std::string>> destinations_by(const Routes& routes,
                                                        std::string_view source) {
  for (std::size_t at = 0; at < routes.count; ++at) {
    const Route& route = routes.first[at];
    if (has(route.sources, source)) {
      std::vector<std::string> destinations = split(route.destinations);
      if (route.and_source) {
        destinations.emplace_back(source);
      }
      std::sort(destinations.begin(), destinations.end());
      return destinations;
    }
  }
  return std::nullopt;
}

std::shared_ptr<const Profile> make_profile(std::string_view id, Scope scope,
                                            std::vector<std::string> destinations) {
  auto profile = std::make_shared<Profile>();
  profile->id = id;
  profile->scope = scope;
  profile->geography = prefix_of(id);
  profile->models = {std::string(model_of(id))};
  profile->destinations = std::move(destinations);
  return profile;
}

std::shared_ptr<const Profile> by_routes(std::string_view id, const Routes& routes,
                                         std::string_view source) {
  auto destinations = destinations_by(routes, source);
  return destinations ? make_profile(id, Scope::geographic, std::move(*destinations)) : nullptr;
}

std::shared_ptr<const Profile> by_name_only(std::string_view id, std::string_view source) {
  const std::string_view partition = aws::partition_of(source);
  for (const NameOnly& each : kNamesOnly) {
    const bool gov = each.prefix == "us-gov";
    if (prefix_of(id) == each.prefix && source.starts_with(each.sources_begin) &&
        partition == (gov ? "aws-us-gov" : "aws")) {
      return make_profile(id, Scope::geographic, {});
    }
  }
  return nullptr;
}

// Whatever sources AWS's tables give it: what must not leave must not pass for unknown either.
std::shared_ptr<const Profile> global(std::string_view id, std::string_view source) {
  return aws::partition_of(source) == "aws" ? make_profile(id, Scope::global, {}) : nullptr;
}

}  // namespace

std::shared_ptr<const Profile> built_in_profile(std::string_view id,
                                                std::string_view source_region) {
  if (!is_profile_id(id) || !looks_like_system_profile(id) || prefix_of(model_of(id)).empty()) {
    return nullptr;
  }
  for (const Geographic& each : kGeographic) {
    if (each.id == id) {
      return by_routes(id, each.routes, source_region);
    }
  }
  const std::string_view prefix = prefix_of(id);
  if (prefix == "global") {
    return global(id, source_region);
  }
  if (prefix == "jp") {
    return by_routes(id, kJapan, source_region);
  }
  if (prefix == "au") {
    return by_routes(id, kAustralia, source_region);
  }
  return by_name_only(id, source_region);
}

std::vector<std::shared_ptr<const Profile>> built_in_profiles(std::string_view source_region) {
  std::vector<std::shared_ptr<const Profile>> profiles;
  const auto add = [&](std::string_view id) {
    if (auto profile = built_in_profile(id, source_region)) {
      profiles.push_back(std::move(profile));
    }
  };
  for (const Geographic& each : kGeographic) {
    add(each.id);
  }
  for (const std::string_view id : kGlobal) {
    if (id != kGlobalSonnet4 || has(kGlobalSonnet4Sources, source_region)) {
      add(id);
    }
  }
  return profiles;
}

}  // namespace invlog::residency
