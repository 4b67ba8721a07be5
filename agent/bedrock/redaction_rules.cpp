#include "agent/bedrock/redaction_rules.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "agent/bedrock/edit_limits.h"

namespace invlog::bedrock {
namespace {

RE2::Options quiet_options() {
  RE2::Options options;
  options.set_log_errors(false);
  return options;
}

}  // namespace

RedactionRules::RedactionRules(const std::vector<std::string>& built_in,
                               const std::vector<std::string>& patterns) {
  for (const BuiltInRule& rule : built_in_rules()) {
    if (std::find(built_in.begin(), built_in.end(), rule.name) != built_in.end()) {
      names_.emplace_back(rule.name);
      finders_.push_back(rule.find);
    }
  }
  if (patterns.empty()) {
    return;
  }
  any_pattern_ = std::make_unique<RE2::Set>(quiet_options(), RE2::UNANCHORED);
  for (const std::string& pattern : patterns) {
    if (const auto problem = pattern_problem(pattern)) {
      throw std::invalid_argument(*problem);
    }
    names_.push_back("pattern " + std::to_string(patterns_.size() + 1));
    patterns_.push_back(std::make_unique<RE2>(pattern, quiet_options()));
    if (any_pattern_ && any_pattern_->Add(pattern, nullptr) < 0) {
      any_pattern_ = nullptr;
    }
  }
  // Without it, each pattern is searched for: slower, and as right.
  if (any_pattern_ && !any_pattern_->Compile()) {
    any_pattern_ = nullptr;
  }
}

void RedactionRules::find(std::string_view text, std::string_view context,
                          std::vector<RuleMatch>& found) const {
  thread_local std::vector<TextRange> ranges;
  for (std::size_t rule = 0; rule < finders_.size(); ++rule) {
    ranges.clear();
    finders_[rule](text, context, ranges);
    for (const TextRange& range : ranges) {
      add_limited(found, {range, rule});
    }
  }
  if (!patterns_.empty() && !text.empty()) {
    find_patterns(text, found);
  }
}

void RedactionRules::find_patterns(std::string_view text, std::vector<RuleMatch>& found) const {
  const re2::StringPiece whole(text.data(), text.size());
  std::vector<int> candidates;
  RE2::Set::ErrorInfo error{};
  const bool usable = any_pattern_ != nullptr;
  if (!usable ||
      (!any_pattern_->Match(whole, &candidates, &error) && error.kind != RE2::Set::kNoError)) {
    // The set ran out of its memory, which says nothing about the text.
    candidates.resize(patterns_.size());
    std::iota(candidates.begin(), candidates.end(), 0);
  }
  for (const int candidate : candidates) {
    const auto index = static_cast<std::size_t>(candidate);
    re2::StringPiece match;
    std::size_t at = 0;
    while (at <= text.size() &&
           patterns_[index]->Match(whole, at, text.size(), RE2::UNANCHORED, &match, 1)) {
      const auto begin = static_cast<std::size_t>(match.data() - text.data());
      if (match.size() != 0) {
        add_limited(found, {{begin, begin + match.size()}, finders_.size() + index});
      }
      at = match.size() == 0 ? begin + 1 : begin + match.size();
    }
  }
}

std::optional<std::string> pattern_problem(const std::string& pattern) {
  const RE2 compiled(pattern, quiet_options());
  if (!compiled.ok()) {
    return "\"" + pattern + "\" is no regular expression of RE2's: " + compiled.error();
  }
  if (RE2::PartialMatch("", compiled)) {
    return "\"" + pattern + "\" matches the empty text, which is everywhere: make it say more";
  }
  return std::nullopt;
}

}  // namespace invlog::bedrock
