// Finds what the rules match in text as it stands in a body: with JSON's escapes (\u0040 is an
// '@'), also escapes within escapes (a tool's arguments are JSON in a JSON string), and in text
// that was encoded as base64. It says which bytes of the text to replace by what.
//
// Thread: const; any. Ownership: the rules must outlive it. Errors: TooManyEdits; text may be
// anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/bedrock/redaction_rules.h"

namespace invlog::bedrock {

struct TextEdit {
  std::size_t begin = 0, end = 0;  // bytes, [begin, end)
  std::string replacement;
};

// Sorts edits by place and joins those that overlap or touch inside one another: the first one's
// replacement stands for both.
void settle_edits(std::vector<TextEdit>& edits);
// `text` with settled edits made. Throws TooManyEdits if it grows by more than kMostGrowth allows.
std::string edited(std::string_view text, const std::vector<TextEdit>& edits);

// How often each rule matched, by its name ("email", "path 1", "omitted image").
using RuleCounts = std::map<std::string, std::size_t>;

class TextRedactor {
 public:
  enum class Form {
    json_string,  // what stands between a JSON string's quotes: the edits leave it valid
    raw           // anything: searched as it is, too
  };

  explicit TextRedactor(const RedactionRules& rules) : rules_(rules) {}

  const RedactionRules& rules() const { return rules_; }
  // Appends settled edits of `text`; `context`: as for RuleFinder. Counts them in `counts`, if any.
  void find(std::string_view text, Form form, std::string_view context,
            std::vector<TextEdit>& edits, RuleCounts* counts) const;

 private:
  // `in_base64`: in what base64 within the text encodes, too, but not in base64 within that.
  void search(std::string_view text, Form form, std::string_view context, bool in_base64,
              std::vector<TextEdit>& edits, RuleCounts* counts) const;

  const RedactionRules& rules_;
};

// JSON's escapes undone, and where each byte comes from.
struct UnescapedText {
  std::string text;
  // For each byte of `text` the place in the original of the character or escape it belongs to;
  // one more at the end.
  std::vector<std::uint32_t> origins;
};
// What is no valid escape stays as it is. False: there was none to undo (or the text is over 4 GB).
bool unescape_json(std::string_view raw, UnescapedText& unescaped);

// Whether it reads as text: no control characters but white space, and UTF-8 up to a cut at the
// end.
bool is_plain_text(std::string_view bytes);

}  // namespace invlog::bedrock
