// What [privacy] redact and redact_patterns name, ready to search text with: built-in rules and
// regular expressions of the user's own (RE2's syntax). A search takes linear time, whatever the
// text; but each match begins one, and that of an expression whose end is optional and may be
// anywhere, a(.*b)?, goes through the rest of the text.
//
// Thread: const after construction; any number of threads. Errors: pattern_problem() says what is
// wrong with a pattern; the constructor expects checked ones.
#pragma once

#include <re2/re2.h>
#include <re2/set.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/bedrock/built_in_rules.h"

namespace invlog::bedrock {

struct RuleMatch {
  TextRange range;
  std::size_t rule = 0;  // index for RedactionRules::name()
};

class RedactionRules {
 public:
  // `built_in`: names of built_in_rules(); others are passed over. Throws std::invalid_argument for
  // a pattern that pattern_problem() refuses.
  RedactionRules(const std::vector<std::string>& built_in,
                 const std::vector<std::string>& patterns);

  bool empty() const { return names_.empty(); }
  std::size_t count() const { return names_.size(); }
  // "email", "pattern 1".
  const std::string& name(std::size_t rule) const { return names_[rule]; }

  // Appends the matches, by rule and within a rule in order; those of different rules may overlap.
  // `context`: as for RuleFinder. Throws TooManyEdits.
  void find(std::string_view text, std::string_view context, std::vector<RuleMatch>& found) const;

 private:
  void find_patterns(std::string_view text, std::vector<RuleMatch>& found) const;

  std::vector<std::string> names_;
  std::vector<RuleFinder> finders_;
  std::vector<std::unique_ptr<RE2>> patterns_;
  std::unique_ptr<RE2::Set> any_pattern_;  // which patterns are worth a search; null without any
};

// Why `pattern` cannot be used, if so.
std::optional<std::string> pattern_problem(const std::string& pattern);

}  // namespace invlog::bedrock
