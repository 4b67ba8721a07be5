#include "agent/residency/policy.h"

#include <algorithm>

namespace invlog::residency {

// What the rules are compared with.
struct Policy::Call {
  std::string_view model_id;
  const Classification& classification;
  std::string_view caller;
};

namespace {

using config::PolicyEffect;
using config::PolicyRule;
using config::PolicyTerm;
using Kind = PolicyTerm::Kind;

// A caller may send any text as a model's id; a message need not repeat all of it.
constexpr std::size_t kShownId = 200;

Decision decision_of(PolicyEffect effect) {
  return effect == PolicyEffect::deny   ? Decision::deny
         : effect == PolicyEffect::flag ? Decision::flag
                                        : Decision::allow;
}

std::string_view effect_name(PolicyEffect effect) {
  return to_string(decision_of(effect));
}

bool destinations_unknown(const Classification& classification) {
  return classification.scope == Scope::unknown ||
         (classification.scope != Scope::global && classification.destinations.empty());
}

// "eu.x" of "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.x".
std::string_view last_part(std::string_view model_id) {
  const bool arn = model_id.starts_with("arn:");
  return arn ? model_id.substr(model_id.rfind('/') + 1) : model_id;
}

// Ids of system profiles have a dot (eu.amazon...), those of application profiles none.
bool is_application_profile(std::string_view model_id, const Classification& classification) {
  return model_id.find(":application-inference-profile/") != std::string_view::npos ||
         (!classification.profile.empty() && classification.profile.find('.') == std::string::npos);
}

bool matches_model(const std::string& pattern, std::string_view model_id,
                   const Classification& classification) {
  return matches_glob(pattern,
                      classification.model.empty() ? last_part(model_id) : classification.model) ||
         matches_glob(pattern, model_id);
}

bool matches_profile(const std::string& pattern, std::string_view model_id,
                     const Classification& classification) {
  return !classification.profile.empty() &&
         (matches_glob(pattern, classification.profile) || matches_glob(pattern, model_id));
}

// Whether a rule meets a call. `perhaps`: what it asks for is not known of this call.
enum class Match { no, perhaps, yes };

Match yes_or_no(bool matches) {
  return matches ? Match::yes : Match::no;
}

Match match_geography(const std::string& geography, PolicyEffect effect,
                      const Classification& classification) {
  if (classification.scope != Scope::geographic) {
    return Match::no;
  }
  // An application profile whose system profile is not known.
  if (classification.geography.empty() && !classification.profile.empty()) {
    return Match::perhaps;
  }
  // A known profile whose destinations nobody knows is none that may be allowed for its name.
  return yes_or_no(classification.geography == geography &&
                   (effect != PolicyEffect::allow || !classification.destinations.empty()));
}

// A model that an ARN stands for without naming it: provisioned throughput, a custom model.
bool model_is_unknown(std::string_view model_id, const Classification& classification) {
  return classification.model.empty() &&
         (model_id.starts_with("arn:") || !classification.profile.empty());
}

template <typename Call>
Match match(const PolicyTerm& term, PolicyEffect effect, const Call& call) {
  const Classification& classification = call.classification;
  switch (term.kind) {
    case Kind::in_region:
      return yes_or_no(classification.scope == Scope::in_region);
    case Kind::geography:
      return match_geography(term.pattern, effect, classification);
    case Kind::global:
      return yes_or_no(classification.scope == Scope::global);
    case Kind::application:
      return yes_or_no(is_application_profile(call.model_id, classification));
    case Kind::unknown:
      return yes_or_no(destinations_unknown(classification));
    case Kind::profile:
      return yes_or_no(matches_profile(term.pattern, call.model_id, classification));
    case Kind::model:
      return matches_model(term.pattern, call.model_id, classification) ? Match::yes
             : model_is_unknown(call.model_id, classification)          ? Match::perhaps
                                                                        : Match::no;
    case Kind::caller:  // "*" is also whom nobody knows
      return matches_glob(term.pattern, call.caller) ? Match::yes
             : call.caller.empty()                   ? Match::perhaps
                                                     : Match::no;
  }
  return Match::no;
}

struct FirstMatch {
  const PolicyRule* rule = nullptr;  // null: none
  bool perhaps = false;
};

// What is perhaps forbidden counts if `perhaps_counts`; what is perhaps allowed or flagged never.
template <typename Call>
FirstMatch first_match(const std::vector<PolicyRule>& rules, const Call& call,
                       bool perhaps_counts) {
  for (const PolicyRule& rule : rules) {
    Match all = Match::yes;
    for (const PolicyTerm& term : rule.terms) {
      all = std::min(all, match(term, rule.effect, call));
    }
    if (all == Match::yes ||
        (all == Match::perhaps && perhaps_counts && rule.effect == PolicyEffect::deny)) {
      return {&rule, all == Match::perhaps};
    }
  }
  return {};
}

// "profile eu.x may be processed in eu-central-1, eu-west-1".
std::string subject_of(std::string_view model_id, const Classification& classification) {
  const bool profile = !classification.profile.empty();
  std::string name(model_id.substr(0, kShownId));
  name += model_id.size() > kShownId ? "..." : "";
  std::string subject = (profile ? "profile " : "model ") + (name.empty() ? "(none named)" : name);
  if (classification.scope == Scope::global) {
    return subject + " may be processed in any commercial Region";
  }
  if (destinations_unknown(classification)) {
    return "nobody knows where " + subject + " may be processed" +
           (classification.source.empty() ? "" : " (" + classification.source + ")");
  }
  subject +=
      classification.scope == Scope::in_region ? " is processed in " : " may be processed in ";
  for (const std::string& region : classification.destinations) {
    subject += (&region == &classification.destinations.front() ? "" : ", ") + region;
  }
  return subject;
}

// What of the known destinations is not in `regions`, "" nothing.
std::string outside_of(const std::vector<std::string>& regions,
                       const Classification& classification) {
  if (classification.scope == Scope::global) {
    return "all";
  }
  for (const std::string& region : classification.destinations) {
    if (std::find(regions.begin(), regions.end(), region) == regions.end()) {
      return region;
    }
  }
  return "";
}

template <typename Call>
Verdict verdict(const Call& call, PolicyEffect effect, const std::string& rule,
                std::string_view how) {
  return {decision_of(effect), rule,
          rule + std::string(how) + subject_of(call.model_id, call.classification)};
}

}  // namespace

std::string_view to_string(Decision decision) {
  switch (decision) {
    case Decision::allow:
      return "allow";
    case Decision::deny:
      return "deny";
    case Decision::flag:
      return "flag";
  }
  return "";
}

bool matches_glob(std::string_view pattern, std::string_view text) {
  std::size_t at = 0, in_pattern = 0;
  std::size_t star = std::string_view::npos, star_text = 0;  // where to go on after a mismatch
  while (at < text.size()) {
    if (in_pattern < pattern.size() && pattern[in_pattern] == '*') {
      star = in_pattern++;
      star_text = at;
    } else if (in_pattern < pattern.size() &&
               (pattern[in_pattern] == '?' || pattern[in_pattern] == text[at])) {
      ++in_pattern;
      ++at;
    } else if (star != std::string_view::npos) {
      in_pattern = star + 1;
      at = ++star_text;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', in_pattern) == std::string_view::npos;
}

Policy::Policy(config::PolicyConfig configuration)
    : configuration_(std::move(configuration)),
      unknown_text_("unknown = \"" + std::string(effect_name(configuration_.unknown)) + "\"") {
  for (const PolicyRule& rule : configuration_.rules) {
    asks_for_caller_ |=
        std::any_of(rule.terms.begin(), rule.terms.end(),
                    [](const PolicyTerm& term) { return term.kind == Kind::caller; });
  }
}

Verdict Policy::judge(std::string_view model_id, const Classification& classification,
                      std::string_view caller) const {
  if (!configuration_.given) {
    return {Decision::allow, "", "there is no [policy]"};
  }
  Verdict verdict = decide({model_id, classification, caller});
  if (configuration_.observe && verdict.decision == Decision::deny) {
    verdict.decision = Decision::flag;
    verdict.reason += "; it would be denied, but mode = \"observe\"";
  }
  return verdict;
}

Verdict Policy::decide(const Call& call) const {
  const Classification& classification = call.classification;
  const bool perhaps_counts = configuration_.unknown != PolicyEffect::allow;
  for (const std::vector<PolicyRule>* rules : {&configuration_.rules, &configuration_.deny}) {
    const FirstMatch found = first_match(*rules, call, perhaps_counts);
    if (found.rule != nullptr && found.perhaps) {
      return verdict(call, configuration_.unknown, unknown_text_,
                     " decides, as nobody knows whether " + found.rule->text + " matches: ");
    }
    if (found.rule != nullptr) {
      return verdict(call, found.rule->effect, found.rule->text, " matches: ");
    }
  }
  if (!configuration_.allow_destinations.empty()) {
    if (destinations_unknown(classification) && configuration_.unknown != PolicyEffect::allow) {
      return by_unknown(call);
    }
    const std::string outside = outside_of(configuration_.allow_destinations, classification);
    if (!outside.empty()) {
      return verdict(call, PolicyEffect::deny, configuration_.destinations_text,
                     " has not " + outside + ": ");
    }
  }
  if (const PolicyRule* rule = first_match(configuration_.allow, call, false).rule) {
    return verdict(call, rule->effect, rule->text, " matches: ");
  }
  if (destinations_unknown(classification)) {
    return by_unknown(call);
  }
  if (!configuration_.allow.empty()) {
    return verdict(call, PolicyEffect::deny, configuration_.allow_text, " does not name it: ");
  }
  return {Decision::allow, "", "nothing denies it: " + subject_of(call.model_id, classification)};
}

Verdict Policy::by_unknown(const Call& call) const {
  return verdict(call, configuration_.unknown, unknown_text_, " decides: ");
}

}  // namespace invlog::residency
