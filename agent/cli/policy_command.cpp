#include "agent/cli/policy_command.h"

#include <sstream>
#include <vector>

#include "agent/cli/display_text.h"
#include "agent/cli/text_table.h"
#include "agent/residency/catalogue.h"
#include "agent/residency/policy.h"
#include "agent/residency/profile_store.h"
#include "storage/joined.h"
#include "storage/json_writer.h"

namespace invlog::cli {
namespace {

using config::PolicyConfig;
using config::PolicyEffect;
using config::PolicyRule;

struct Loaded {
  config::AgentConfig configuration;
  std::vector<residency::Profile> profiles;  // what the store knows of them
};

// The configuration, with the Region of the store if there is one, and what that knows of profiles.
// What is judged without a store that the agent has may not be what the agent decides: on failure
// the reason on `err`, and `exit_code`.
std::optional<Loaded> load(const StoreOptions& options, const aws::Environment& environment,
                           std::ostream& err, int& exit_code) {
  std::ostringstream why_no_store;
  std::string region;
  std::vector<residency::Profile> profiles;
  if (const auto reader = open_store_if_any(options, why_no_store, exit_code)) {
    region = reader->information().region;
    profiles = residency::ProfileStore::load(reader->connection());
  }
  if (exit_code == kFailure) {
    err << why_no_store.str();
    return std::nullopt;
  }
  auto configuration = load_configuration(options, environment, region);
  if (!configuration) {
    err << "invlog policy: " << configuration.error() << '\n';
    exit_code = kUsageError;
    return std::nullopt;
  }
  if (exit_code != kSuccess) {  // several stores, for instance
    err << why_no_store.str();
    return std::nullopt;
  }
  return Loaded{std::move(*configuration), std::move(profiles)};
}

std::string json_array(const std::vector<std::string>& texts) {
  std::string array = "[";
  for (const std::string& text : texts) {
    array += array.size() > 1 ? "," : "";
    storage::append_json_string(array, text);
  }
  return array + "]";
}

struct Tested {
  const PolicyTestOptions& options;
  const std::string& region;
  const residency::Classification& classification;
  const residency::Verdict& verdict;
};

void print_json(const Tested& tested, std::ostream& out) {
  const residency::Classification& known = tested.classification;
  std::string line = "{";
  storage::append_json_member(line, "model", tested.options.model);
  storage::append_json_member(line, "caller", tested.options.caller);
  storage::append_json_member(line, "source_region", tested.region);
  storage::append_json_member(line, "scope", to_string(known.scope));
  storage::append_json_member(line, "profile", known.profile);
  storage::append_json_member(line, "geography", known.geography);
  storage::append_json_raw(line, "destinations", json_array(known.destinations));
  storage::append_json_member(line, "foundation_model", known.model);
  storage::append_json_member(line, "known_from", known.source);
  storage::append_json_member(line, "decision", to_string(tested.verdict.decision));
  storage::append_json_member(line, "rule", tested.verdict.rule);
  storage::append_json_member(line, "reason", tested.verdict.reason);
  out << line << "}\n";
}

void print_text(const Tested& tested, std::ostream& out) {
  const residency::Classification& known = tested.classification;
  const bool global = known.scope == residency::Scope::global;
  print_field(out, "model", printable(tested.options.model));
  print_field(out, "caller", printable(tested.options.caller));
  print_field(out, "source Region", tested.region);
  print_field(out, "scope",
              known.scope == residency::Scope::unknown
                  ? "unknown"
                  : std::string(to_string(known.scope)) +
                        (known.geography.empty() ? "" : " (" + printable(known.geography) + ")"));
  print_field(out, "profile", printable(known.profile));
  print_field(out, "destinations",
              global                       ? "any commercial Region"
              : known.destinations.empty() ? "unknown"
                                           : printable(storage::joined(known.destinations, ", ")));
  print_field(out, "known from", printable(known.source));
  print_field(out, "decision", std::string(to_string(tested.verdict.decision)));
  print_field(out, "rule", printable(tested.verdict.rule));
  print_field(out, "because", printable(tested.verdict.reason));
}

struct Step {
  std::string decision, rule, when;
};

void add_steps(std::vector<Step>& steps, const std::vector<PolicyRule>& rules,
               const std::string& when) {
  for (const PolicyRule& rule : rules) {
    steps.push_back({rule.effect == PolicyEffect::deny   ? "deny"
                     : rule.effect == PolicyEffect::flag ? "flag"
                                                         : "allow",
                     rule.text, when});
  }
}

std::vector<Step> steps_of(const PolicyConfig& policy) {
  const std::string unknown = policy.unknown == PolicyEffect::deny   ? "deny"
                              : policy.unknown == PolicyEffect::flag ? "flag"
                                                                     : "allow";
  const Step unknown_step{unknown, "unknown = \"" + unknown + "\"",
                          "nobody knows where it is processed"};
  const bool before_allow =
      !policy.allow_destinations.empty() && policy.unknown != PolicyEffect::allow;
  std::vector<Step> steps;
  add_steps(steps, policy.rules, "all terms match");
  add_steps(steps, policy.deny, "it matches");
  if (before_allow) {
    steps.push_back(unknown_step);
  }
  if (!policy.allow_destinations.empty()) {
    steps.push_back({"deny", policy.destinations_text, "it may be processed elsewhere"});
  }
  add_steps(steps, policy.allow, "it matches");
  if (!before_allow) {
    steps.push_back(unknown_step);
  }
  steps.push_back({policy.allow.empty() ? "allow" : "deny", policy.allow_text, "everything else"});
  return steps;
}

void print_steps_json(const PolicyConfig& policy, const std::vector<Step>& steps,
                      std::ostream& out) {
  std::string rules = "[";
  for (const Step& step : steps) {
    rules += rules.size() > 1 ? ",{" : "{";
    storage::append_json_member(rules, "decision", step.decision);
    storage::append_json_member(rules, "rule", step.rule);
    storage::append_json_member(rules, "when", step.when);
    rules += '}';
  }
  std::string line = "{";
  storage::append_json_raw(line, "given", policy.given ? "true" : "false");
  storage::append_json_member(line, "mode", policy.observe ? "observe" : "enforce");
  storage::append_json_raw(line, "rules", policy.given ? rules + "]" : "[]");
  out << line << "}\n";
}

}  // namespace

int run_policy_test(const PolicyTestOptions& options, std::ostream& out, std::ostream& err) {
  int exit_code = kSuccess;
  auto loaded = load(options.store, options.environment, err, exit_code);
  if (!loaded) {
    return exit_code;
  }
  const std::string& region = loaded->configuration.region;
  residency::Catalogue catalogue(region);
  catalogue.learn(std::move(loaded->profiles));
  const residency::Classification classification = residency::classify(
      options.model, region, [&catalogue](std::string_view id) { return catalogue.find(id); });
  const residency::Verdict verdict = residency::Policy(loaded->configuration.policy)
                                         .judge(options.model, classification, options.caller);
  const Tested tested{options, region, classification, verdict};
  options.json ? print_json(tested, out) : print_text(tested, out);
  return verdict.decision == residency::Decision::deny ? kFailure : kSuccess;
}

int run_policy_show(const PolicyShowOptions& options, std::ostream& out, std::ostream& err) {
  int exit_code = kSuccess;
  const auto loaded = load(options.store, options.environment, err, exit_code);
  if (!loaded) {
    return exit_code;
  }
  const PolicyConfig& policy = loaded->configuration.policy;
  const std::vector<Step> steps = steps_of(policy);
  if (options.json) {
    print_steps_json(policy, steps, out);
    return kSuccess;
  }
  if (!policy.given) {
    out << "There is no [policy]: every call is allowed.\n";
    return kSuccess;
  }
  print_field(out, "mode", policy.observe ? "observe: what would be denied is flagged" : "enforce");
  out << '\n';
  TextTable table(out, {"#", "decision", "rule", "if"}, options.terminal_width);
  for (std::size_t at = 0; at < steps.size(); ++at) {
    table.add({{std::to_string(at + 1), true},
               {steps[at].decision},
               {printable(steps[at].rule)},
               {steps[at].when}});
  }
  table.finish();
  return kSuccess;
}

}  // namespace invlog::cli
