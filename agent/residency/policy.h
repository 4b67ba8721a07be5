// Judges a call before it leaves the host: allow, deny or flag, and by which rule. The rules are
// [policy] of the configuration.
//
// Immutable once made; any thread; costs no I/O. Errors: none; what cannot be told is judged by
// `unknown`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/config/policy_config.h"
#include "agent/residency/classification.h"

namespace invlog::residency {

enum class Decision { allow, deny, flag };
std::string_view to_string(Decision decision);

struct Verdict {
  Decision decision = Decision::allow;
  // The rule that decided, as it stands in the file: `deny = "global"`, `unknown = "deny"`; "" if
  // there are no rules. In mode "observe" what would be denied is flagged.
  std::string rule;
  std::string reason;  // one line for people, with the profile and the destinations
};

class Policy {
 public:
  explicit Policy(config::PolicyConfig configuration);
  // `caller`: Unix user name, "" unknown. `model_id` as the caller sent it.
  Verdict judge(std::string_view model_id, const Classification& classification,
                std::string_view caller) const;

 private:
  config::PolicyConfig configuration_;
};

}  // namespace invlog::residency
