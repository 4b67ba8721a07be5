#include "agent/residency/classification.h"

#include <algorithm>

#include "agent/residency/profile_id.h"
#include "agent/residency/resource_name.h"

namespace invlog::residency {
namespace {

Classification unknown(std::string source) {
  Classification result;
  result.source = std::move(source);
  return result;
}

// Processed in one Region, which is said by the id and not by a profile.
Classification in_one_region(std::string_view region, std::string_view source_region,
                             std::string_view model, std::string source) {
  Classification result;
  result.scope = region == source_region ? Scope::in_region : Scope::geographic;
  result.destinations = {std::string(region)};
  result.model = model;
  result.source = std::move(source);
  return result;
}

std::string origin_text(const Profile& profile) {
  std::string text =
      profile.origin == Profile::Origin::built_in ? "the catalogue (built in)" : "the catalogue";
  if (profile.destinations.empty() && profile.scope != Scope::global) {
    text += ", which knows the profile but not its destinations";
  }
  return text;
}

Classification by_profile(const Profile& profile) {
  Classification result;
  result.scope = profile.scope;
  result.profile = profile.id;
  result.geography = profile.geography;
  result.destinations = profile.destinations;
  if (profile.models.size() == 1) {
    result.model = profile.models.front();
  }
  result.source = origin_text(profile);
  return result;
}

std::shared_ptr<const Profile> look_up(const FindProfile& find, std::string_view id) {
  return find ? find(id) : nullptr;
}

Classification unknown_profile(std::string_view id) {
  Classification result = unknown("no such profile in the catalogue");
  result.profile = id;
  if (looks_like_system_profile(id)) {
    result.model = model_of(id);
  }
  return result;
}

Classification by_id(std::string_view id, std::string_view source_region, const FindProfile& find) {
  if (const auto profile = look_up(find, id)) {
    return by_profile(*profile);
  }
  const bool has_dot = id.find('.') != std::string_view::npos;
  // A model's id has a dot; an application profile's has none.
  if (looks_like_system_profile(id) || (!has_dot && is_profile_id(id))) {
    return unknown_profile(id);
  }
  if (!has_dot || id.find('/') != std::string_view::npos) {
    return unknown("neither a model's id nor a profile of the catalogue");
  }
  return in_one_region(source_region, source_region, id, "a model's id");
}

// A profile's destinations depend on the source Region, and the catalogue has those of one.
Classification by_profile_name(const ResourceName& name, std::string_view arn,
                               std::string_view source_region, Profile::Kind kind,
                               const FindProfile& find) {
  Classification result = unknown_profile(name.id);
  if (name.region != source_region) {
    result.source = "a profile of " +
                    (name.region.empty() ? "no Region" : std::string(name.region)) +
                    ", not of the source Region";
    if (kind == Profile::Kind::system && prefix_of(name.id) == "global") {
      result.scope = Scope::global;  // from wherever it is called
    }
    return result;
  }
  auto profile = look_up(find, name.id);
  if (!profile && kind == Profile::Kind::application) {
    profile = look_up(find, arn);
  }
  if (profile && profile->kind == kind) {
    return by_profile(*profile);
  }
  return result;
}

Classification by_model_name(const ResourceName& name, std::string_view source_region) {
  if (looks_like_system_profile(name.id)) {
    return unknown("an inference profile's id in a model's ARN");
  }
  if (!name.region.empty()) {
    return in_one_region(name.region, source_region, name.id, "a model's ARN");
  }
  Classification result = unknown("a model's ARN without a Region");
  result.scope = Scope::global;
  result.model = name.id;
  return result;
}

Classification by_name(const ResourceName& name, std::string_view arn,
                       std::string_view source_region, const FindProfile& find) {
  const bool bedrock = name.service == "bedrock";
  if (bedrock && name.type == "inference-profile") {
    return by_profile_name(name, arn, source_region, Profile::Kind::system, find);
  }
  if (bedrock && name.type == "application-inference-profile") {
    return by_profile_name(name, arn, source_region, Profile::Kind::application, find);
  }
  if (bedrock && name.type == "foundation-model") {
    return by_model_name(name, source_region);
  }
  // Both may run on inference profiles, and their names do not say so.
  if (bedrock && (name.type == "prompt" || name.type == "prompt-router" ||
                  name.type == "default-prompt-router")) {
    return unknown("a " + std::string(name.type) + ", whose model may be an inference profile");
  }
  constexpr std::string_view kOfOneRegion[] = {"provisioned-model", "custom-model",
                                               "custom-model-deployment", "imported-model"};
  const bool of_one_region = (bedrock && std::find(std::begin(kOfOneRegion), std::end(kOfOneRegion),
                                                   name.type) != std::end(kOfOneRegion)) ||
                             (name.service == "sagemaker" && name.type == "endpoint");
  if (!of_one_region || name.region.empty()) {
    return unknown("an ARN of a kind that is not known");
  }
  return in_one_region(name.region, source_region, "", "the ARN of one " + std::string(name.type));
}

}  // namespace

std::string Classification::destinations_text() const {
  Profile profile;
  profile.scope = scope;
  profile.destinations = destinations;
  return residency::destinations_text(profile);
}

Classification classify(std::string_view model_id, std::string_view source_region,
                        const FindProfile& find) {
  if (const auto name = parse_resource_name(model_id)) {
    return by_name(*name, model_id, source_region, find);
  }
  if (model_id.starts_with("arn:")) {
    return unknown("a damaged ARN");
  }
  return by_id(model_id, source_region, find);
}

}  // namespace invlog::residency
