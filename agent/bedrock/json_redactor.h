// Redacts a JSON text: values that paths select are replaced whole, and in the strings (and
// numbers) that are left what the rules match. Every other byte stays, and JSON stays JSON.
//
// Thread: const; any. Ownership: rules and paths must outlive it. Errors: TooManyEdits.
#pragma once

#include <vector>

#include "agent/bedrock/json_path.h"
#include "agent/bedrock/json_tree.h"
#include "agent/bedrock/text_redactor.h"

namespace invlog::bedrock {

class JsonRedactor {
 public:
  explicit JsonRedactor(const RedactionRules& rules) : texts_(rules) {}

  // Appends edits of the tree's text, in no order (settle_edits() orders them). Passes over what is
  // replaced, and marks what it replaces. Names of members are left as they are.
  void redact_paths(JsonTree& tree, const std::vector<JsonPath>& paths,
                    std::vector<TextEdit>& edits, RuleCounts* counts) const;
  void redact_values(const JsonTree& tree, std::vector<TextEdit>& edits, RuleCounts* counts) const;

 private:
  void redact_stream(const JsonTree& tree, std::vector<bool>& counted, std::vector<TextEdit>& edits,
                     RuleCounts* counts) const;
  bool redact_together(const JsonTree& tree, const std::vector<std::size_t>& parts,
                       std::vector<TextEdit>& edits, RuleCounts* counts) const;
  void redact_string(const JsonTree& tree, std::size_t node, std::vector<TextEdit>& edits,
                     RuleCounts* counts) const;
  void redact_numbers(const JsonTree& tree, std::size_t node, std::vector<TextEdit>& edits,
                      RuleCounts* counts) const;

  TextRedactor texts_;
};

}  // namespace invlog::bedrock
