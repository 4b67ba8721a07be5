// [policy], after defaults and checks: which calls may leave the host. Plain values; part of
// AgentConfig. Without a [policy] table every call is allowed.
//
// Order of evaluation: agent/residency/policy.h.
#pragma once

#include <string>
#include <vector>

namespace invlog::config {

enum class PolicyEffect { allow, deny, flag };

// One condition: `global`, `geo:eu`, `profile:eu.anthropic.*`.
struct PolicyTerm {
  enum class Kind { in_region, geography, global, application, unknown, profile, model, caller };
  Kind kind = Kind::unknown;
  std::string pattern;  // of a geography its name; of a profile, model or caller a glob; else ""
  bool operator==(const PolicyTerm&) const = default;
};

struct PolicyRule {
  PolicyEffect effect = PolicyEffect::allow;
  std::vector<PolicyTerm> terms;  // all must match
  // As it stands in the file: `deny = "global"`, `rules = "deny global caller:ci-*"`.
  std::string text;
  bool operator==(const PolicyRule&) const = default;
};

struct PolicyConfig {
  bool given = false;                         // there is a [policy]
  bool observe = false;                       // what would be denied is flagged
  PolicyEffect unknown = PolicyEffect::flag;  // what becomes of a call of which nobody knows where
                                              // it may be processed
  std::vector<PolicyRule> rules;              // in the file's order
  std::vector<PolicyRule> deny, allow;        // a rule of one term each
  std::vector<std::string> allow_destinations;  // Regions; empty: not given
  std::string allow_text, destinations_text;    // the keys as they stand in the file, "" not given
  bool operator==(const PolicyConfig&) const = default;
};

}  // namespace invlog::config
