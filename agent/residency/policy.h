// Judges a call before it leaves the host: allow, deny or flag, and by which rule. The rules are
// [policy] of the configuration.
//
// Order of evaluation; the first step that decides is the last:
//   1. `rules`, from the first: the first whose terms all match decides alone.
//   2. `deny`: a term that matches denies.
//   3. `allow_destinations`: a Region outside the list where the call may be processed denies; a
//      global profile may go to any, so it never fits. Destinations that nobody knows: `unknown`.
//   4. `allow`: a term that matches allows; if none does the call is denied, but one of which
//      nobody knows where it goes is judged by `unknown`.
//   5. What nobody knows is judged by `unknown`; everything else is allowed.
// In mode "observe" what would be denied is flagged.
//
// The prefix of an id proves nothing: in-region, geo: and global match only what the classification
// knows. profile: and model: compare names, so they also match what is otherwise unknown. A rule
// that denies by caller: perhaps matches a caller who cannot be told, and `unknown` decides.
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
  // none did. In mode "observe" what would be denied is flagged.
  std::string rule;
  std::string reason;  // one line for people, with the profile and the destinations
};

class Policy {
 public:
  explicit Policy(config::PolicyConfig configuration);
  // `caller`: Unix user name, "" unknown. `model_id` as the caller sent it, percent-decoded.
  Verdict judge(std::string_view model_id, const Classification& classification,
                std::string_view caller) const;

  bool given() const { return configuration_.given; }
  // Whether a rule asks who calls; otherwise judge() need not be told.
  bool asks_for_caller() const { return asks_for_caller_; }

 private:
  struct Call;

  Verdict decide(const Call& call) const;
  Verdict by_unknown(const Call& call) const;

  config::PolicyConfig configuration_;
  std::string unknown_text_;
  bool asks_for_caller_ = false;
};

// Whether `text` matches `pattern`, in which * stands for any characters and ? for one. Takes time
// in the order of the product of their lengths at most, whatever a caller sent.
bool matches_glob(std::string_view pattern, std::string_view text);

}  // namespace invlog::residency
