// [policy].
#include <algorithm>
#include <sstream>

#include "agent/config/config_file.h"
#include "agent/config/nearest_name.h"
#include "agent/config/settings.h"
#include "agent/residency/profile_id.h"
#include "exporters/aws/endpoints.h"

namespace invlog::config {
namespace {

using Kind = PolicyTerm::Kind;

struct TermName {
  std::string_view name;  // with a colon: something must follow
  Kind kind;
};
constexpr TermName kTerms[] = {{"in-region", Kind::in_region}, {"geo:", Kind::geography},
                               {"global", Kind::global},       {"application", Kind::application},
                               {"unknown", Kind::unknown},     {"profile:", Kind::profile},
                               {"model:", Kind::model},        {"caller:", Kind::caller}};

// As in the file: deny = "global".
std::string as_written(std::string_view key, std::string_view value) {
  return std::string(key) + " = " + in_quotes(value);
}

std::string as_written(std::string_view key, const SettingValues& values) {
  std::string text = std::string(key) + " = [";
  for (const std::string& value : values) {
    text += (&value == &values.front() ? "" : ", ") + in_quotes(value);
  }
  return text + "]";
}

std::string unknown_term(std::string_view text, std::string_view name) {
  std::vector<std::string_view> names;
  for (const TermName& term : kTerms) {
    names.push_back(term.name);
  }
  const std::string nearest = suggestion(name, names);
  return in_quotes(text) + " is no term of a rule" +
         (nearest.empty() ? ": write in-region, geo:PREFIX, global, application, unknown, "
                            "profile:ID or model:ID, the last two also with * for a part"
                          : nearest);
}

// `text`: "geo:eu", "global".
SettingError parse_term(PolicyTerm& term, std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon == text.npos ? colon : colon + 1);
  const auto* found =
      std::find_if(std::begin(kTerms), std::end(kTerms),
                   [name](const TermName& candidate) { return candidate.name == name; });
  if (found == std::end(kTerms)) {
    return unknown_term(text, name);
  }
  term.kind = found->kind;
  term.pattern = colon == text.npos ? "" : text.substr(colon + 1);
  if (colon != text.npos && term.pattern.empty()) {
    return in_quotes(text) + " names nothing behind the colon: write, for instance, " +
           in_quotes(term.kind == Kind::geography ? "geo:eu"
                     : term.kind == Kind::caller  ? "caller:ci-*"
                     : term.kind == Kind::model   ? "model:anthropic.*"
                                                  : "profile:eu.anthropic.*");
  }
  if (term.kind == Kind::geography &&
      term.pattern.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != text.npos) {
    return in_quotes(text) + " is no geography: write the profiles' prefix, as in \"geo:eu\", " +
           "\"geo:us\" or \"geo:apac\"";
  }
  return std::nullopt;
}

SettingError add_terms(std::vector<PolicyRule>& rules, PolicyEffect effect, std::string_view key,
                       const SettingValues& values) {
  for (const std::string& value : values) {
    PolicyTerm term;
    if (const auto error = parse_term(term, value)) {
      return error;
    }
    if (term.kind == Kind::caller) {
      return in_quotes(value) + " alone says nothing of where a call goes: write rules = [" +
             in_quotes((effect == PolicyEffect::deny ? "deny global " : "allow in-region ") +
                       value) +
             "]";
    }
    rules.push_back({effect, {std::move(term)}, as_written(key, value)});
  }
  return std::nullopt;
}

SettingError nothing_in(std::string_view key) {
  return "there is nothing in it, which would deny every call: leave " + std::string(key) +
         " out to allow what nothing denies";
}

SettingError set_allow(AgentConfig& configuration, const SettingValues& values) {
  if (values.empty()) {
    return nothing_in("allow");
  }
  configuration.policy.allow_text = as_written("allow", values);
  return add_terms(configuration.policy.allow, PolicyEffect::allow, "allow", values);
}

SettingError set_deny(AgentConfig& configuration, const SettingValues& values) {
  return add_terms(configuration.policy.deny, PolicyEffect::deny, "deny", values);
}

SettingError set_allow_destinations(AgentConfig& configuration, const SettingValues& values) {
  if (values.empty()) {
    return nothing_in("allow_destinations");
  }
  for (const std::string& region : values) {
    if (!aws::is_region_name(region)) {
      return in_quotes(region) + " is no Region: write, for instance, \"eu-central-1\"";
    }
  }
  configuration.policy.allow_destinations = values;
  configuration.policy.destinations_text = as_written("allow_destinations", values);
  return std::nullopt;
}

// "deny global caller:ci-*"
SettingError add_rule(PolicyConfig& policy, const std::string& text) {
  std::istringstream words(text);
  std::string word;
  words >> word;
  PolicyRule rule;
  rule.text = as_written("rules", text);
  const Choice<PolicyEffect> effects[] = {
      {"allow", PolicyEffect::allow}, {"deny", PolicyEffect::deny}, {"flag", PolicyEffect::flag}};
  if (const auto error = choose(rule.effect, word, effects)) {
    const std::string nearest = suggestion(word, {"allow", "deny", "flag"});
    return in_quotes(text) + ": a rule begins with allow, deny or flag" + nearest;
  }
  while (words >> word) {
    PolicyTerm term;
    if (const auto error = parse_term(term, word)) {
      return in_quotes(text) + ": " + *error;
    }
    rule.terms.push_back(std::move(term));
  }
  if (rule.terms.empty()) {
    return in_quotes(text) +
           " names no calls: add a term, as in \"deny global caller:ci-*\"; every term must match";
  }
  policy.rules.push_back(std::move(rule));
  return std::nullopt;
}

SettingError set_rules(AgentConfig& configuration, const SettingValues& values) {
  for (const std::string& value : values) {
    if (const auto error = add_rule(configuration.policy, value)) {
      return error;
    }
  }
  return std::nullopt;
}

SettingError set_unknown(AgentConfig& configuration, const SettingValues& values) {
  return choose<PolicyEffect>(
      configuration.policy.unknown, values.front(),
      {{"flag", PolicyEffect::flag}, {"deny", PolicyEffect::deny}, {"allow", PolicyEffect::allow}});
}

SettingError set_mode(AgentConfig& configuration, const SettingValues& values) {
  return choose<bool>(configuration.policy.observe, values.front(),
                      {{"enforce", false}, {"observe", true}});
}

Mismatches finish(AgentConfig&) {
  return {};
}

// "" or why a geography probably matches no call. A profile that is newer than this program may
// have it all the same.
std::string doubt_of_geography(const std::string& geography) {
  std::vector<std::string_view> known;
  std::string list;
  for (const std::string_view prefix : residency::kProfilePrefixes) {
    if (prefix == geography) {
      return prefix == "global" ? "\"geo:global\" matches no call: a global profile has no "
                                  "geography; write \"global\""
                                : "";
    }
    if (prefix != "global") {
      known.push_back(prefix);
      list.append(list.empty() ? "geo:" : ", geo:").append(prefix);
    }
  }
  const std::string nearest = nearest_name(geography, known);
  return in_quotes("geo:" + geography) + " probably matches no call: no known profile has it; " +
         (nearest.empty() ? "known are " + list
                          : "did you mean " + in_quotes("geo:" + nearest) + "?");
}

void add_doubts(std::string_view key, const std::vector<PolicyRule>& rules, Mismatches& doubts) {
  for (const PolicyRule& rule : rules) {
    for (const PolicyTerm& term : rule.terms) {
      std::string doubt = term.kind == Kind::geography ? doubt_of_geography(term.pattern) : "";
      if (!doubt.empty()) {
        doubts.push_back({std::string(key), std::move(doubt)});
      }
    }
  }
}

Mismatches warn(const AgentConfig& configuration) {
  const PolicyConfig& policy = configuration.policy;
  Mismatches doubts;
  add_doubts("rules", policy.rules, doubts);
  add_doubts("deny", policy.deny, doubts);
  add_doubts("allow", policy.allow, doubts);
  for (const std::string& region : policy.allow_destinations) {
    if (std::string doubt = doubt_of_region(region); !doubt.empty()) {
      doubts.push_back({"allow_destinations", std::move(doubt)});
    }
  }
  return doubts;
}

}  // namespace

const SettingsTable& policy_table() {
  static const SettingsTable table{
      "policy",
      {
          {"rules", ValueForm::texts, set_rules},
          {"deny", ValueForm::texts, set_deny},
          {"allow", ValueForm::texts, set_allow},
          {"allow_destinations", ValueForm::texts, set_allow_destinations},
          {"unknown", ValueForm::text, set_unknown, "flag"},
          {"mode", ValueForm::text, set_mode, "enforce"},
      },
      [](AgentConfig& configuration) { configuration.policy.given = true; },
      finish,
      true,
      warn};
  return table;
}

}  // namespace invlog::config
