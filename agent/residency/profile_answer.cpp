#include "agent/residency/profile_answer.h"

#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "agent/residency/profile_id.h"
#include "agent/residency/resource_name.h"
#include "exporters/aws/endpoints.h"
#include "exporters/aws/message_text.h"

namespace invlog::residency {
namespace {

using Object = simdjson::dom::object;
using Element = simdjson::dom::element;
template <typename Value>
using Expected = tl::expected<Value, std::string>;

constexpr std::size_t kLongestName = 64, kLongestToken = 2048, kLongestArn = 2048,
                      kLongestShown = 100;

std::string shown(std::string_view text) {
  return "\"" + aws::one_line(text, kLongestShown) + "\"";
}

// None if it is absent or null; an error if it is anything else but text.
Expected<std::optional<std::string_view>> text_in(const Object& object, const char* key) {
  const auto member = object[key];
  if (member.error() == simdjson::NO_SUCH_FIELD || member.is_null()) {
    return std::nullopt;
  }
  std::string_view text;
  if (member.get(text) != simdjson::SUCCESS) {
    return tl::unexpected(std::string(key) + ": no text");
  }
  return text;
}

Expected<std::string_view> needed_text(const Object& object, const char* key) {
  const auto text = text_in(object, key);
  if (!text) {
    return tl::unexpected(text.error());
  }
  if (!*text || (*text)->empty()) {
    return tl::unexpected(std::string(key) + ": missing");
  }
  return **text;
}

bool is_model_id(std::string_view id) {
  return !id.empty() && id.size() <= 256 && std::all_of(id.begin(), id.end(), [](char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.' ||
           byte == ':' || byte == '/';
  });
}

// Takes one model's ARN into the profile; why not, or "".
std::string take_model(Profile& profile, const Element& element) {
  Object object;
  if (element.get(object) != simdjson::SUCCESS) {
    return "no object";
  }
  const auto arn = needed_text(object, "modelArn");
  if (!arn) {
    return arn.error();
  }
  const auto name = parse_resource_name(*arn);
  if (!name || name->service != "bedrock" || name->type != "foundation-model" ||
      !is_model_id(name->id) || !(name->region.empty() || aws::is_region_name(name->region))) {
    return "modelArn: " + shown(*arn) + " is no foundation model's ARN";
  }
  if (name->region.empty()) {
    profile.scope = Scope::global;
  } else {
    profile.destinations.emplace_back(name->region);
  }
  profile.models.emplace_back(name->id);
  return "";
}

void sort_without_duplicates(std::vector<std::string>& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

std::string take_models(Profile& profile, const Object& object) {
  simdjson::dom::array models;
  if (object["models"].get(models) != simdjson::SUCCESS) {
    return "models: no array";
  }
  std::size_t at = 0;
  for (const Element model : models) {
    if (const std::string problem = take_model(profile, model); !problem.empty()) {
      return "models[" + std::to_string(at) + "]: " + problem;
    }
    ++at;
  }
  if (at == 0) {
    return "models: empty";
  }
  sort_without_duplicates(profile.models);
  sort_without_duplicates(profile.destinations);
  return "";
}

// By the Regions of its models.
void conclude(Profile& profile, std::string_view source_region) {
  if (profile.scope == Scope::global) {
    profile.destinations.clear();
  } else if (profile.destinations.size() == 1 && profile.destinations.front() == source_region) {
    profile.scope = Scope::in_region;
  } else {
    profile.scope = Scope::geographic;
  }
  if (profile.kind == Profile::Kind::system && profile.scope != Scope::in_region) {
    profile.geography = prefix_of(profile.id);
  }
}

std::string take_kind(Profile& profile, const Object& object) {
  const auto type = needed_text(object, "type");
  if (!type) {
    return type.error();
  }
  if (*type != "SYSTEM_DEFINED" && *type != "APPLICATION") {
    return "type: " + shown(*type) + " is neither SYSTEM_DEFINED nor APPLICATION";
  }
  profile.kind = *type == "APPLICATION" ? Profile::Kind::application : Profile::Kind::system;
  return "";
}

// The id, and the ARN that must agree with it and with the Region that was asked: another Region's
// profile of the same id has other destinations.
std::string take_names(Profile& profile, const Object& object, std::string_view source_region) {
  const auto id = needed_text(object, "inferenceProfileId");
  if (!id) {
    return id.error();
  }
  if (!is_profile_id(*id)) {
    return "inferenceProfileId: " + shown(*id) + " is none";
  }
  const auto arn = needed_text(object, "inferenceProfileArn");
  if (!arn) {
    return arn.error();
  }
  const auto name = parse_resource_name(*arn);
  if (!name || name->service != "bedrock" || name->id != *id ||
      aws::one_line(*arn, kLongestArn) != *arn) {
    return "inferenceProfileArn: " + shown(*arn) + " is not the ARN of " + shown(*id);
  }
  if (name->region != source_region) {
    return "inferenceProfileArn: " + shown(*arn) + " is not of the source Region " +
           std::string(source_region);
  }
  profile.id = *id;
  profile.arn = *arn;
  const auto title = text_in(object, "inferenceProfileName");
  profile.name = title && *title ? aws::one_line(**title, kLongestName) : "";
  return "";
}

Expected<Profile> profile_of(const Object& object, const AnswerContext& context) {
  Profile profile;
  profile.origin = Profile::Origin::service;
  profile.learned_at_us = context.now_us;
  std::string problem = take_names(profile, object, context.source_region);
  if (problem.empty()) {
    problem = take_kind(profile, object);
  }
  if (problem.empty()) {
    problem = take_models(profile, object);
  }
  if (!problem.empty()) {
    return tl::unexpected(std::move(problem));
  }
  conclude(profile, context.source_region);
  return profile;
}

Expected<Object> object_of(simdjson::dom::parser& parser, std::string_view json) {
  Object object;
  if (const auto error = parser.parse(json.data(), json.size()).get(object);
      error != simdjson::SUCCESS) {
    return tl::unexpected(std::string("no JSON object: ") + simdjson::error_message(error));
  }
  return object;
}

}  // namespace

tl::expected<ProfilePage, std::string> parse_profile_page(std::string_view json,
                                                          const AnswerContext& context) {
  simdjson::dom::parser parser;
  const auto object = object_of(parser, json);
  if (!object) {
    return tl::unexpected(object.error());
  }
  simdjson::dom::array summaries;
  if ((*object)["inferenceProfileSummaries"].get(summaries) != simdjson::SUCCESS) {
    return tl::unexpected<std::string>("inferenceProfileSummaries: no array");
  }
  ProfilePage page;
  std::size_t at = 0;
  for (const Element summary : summaries) {
    Object each;
    auto profile = summary.get(each) == simdjson::SUCCESS
                       ? profile_of(each, context)
                       : tl::unexpected<std::string>("no object");
    if (profile) {
      page.profiles.push_back(std::move(*profile));
    } else {
      page.problems.push_back("inferenceProfileSummaries[" + std::to_string(at) +
                              "]: " + profile.error());
    }
    ++at;
  }
  const auto token = text_in(*object, "nextToken");
  if (!token || (*token && (*token)->size() > kLongestToken)) {
    return tl::unexpected(token ? "nextToken: too long" : token.error());
  }
  page.next_token = token->value_or("");
  return page;
}

tl::expected<Profile, std::string> parse_profile(std::string_view json,
                                                 const AnswerContext& context) {
  simdjson::dom::parser parser;
  const auto object = object_of(parser, json);
  if (!object) {
    return tl::unexpected(object.error());
  }
  return profile_of(*object, context);
}

}  // namespace invlog::residency
