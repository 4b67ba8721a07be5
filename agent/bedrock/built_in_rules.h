// The built-in redaction rules: e-mail addresses, IBANs, telephone numbers, payment cards, AWS keys
// and bearer tokens in text. README.md says what each takes and what it lets pass.
//
// Each finder first looks for what must be there (an '@', enough digits, a key word), so that text
// without it costs little more than reading it.
//
// Thread: any; pure functions. Errors: finders throw TooManyEdits; text need not be valid UTF-8.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace invlog::bedrock {

struct TextRange {
  std::size_t begin = 0, end = 0;  // bytes, [begin, end)
  bool operator==(const TextRange&) const = default;
};

// Appends what it finds in `text`, in order and without overlaps. `context`: the name of the JSON
// member whose value the text is, "" none.
using RuleFinder = void (*)(std::string_view text, std::string_view context,
                            std::vector<TextRange>& found);

struct BuiltInRule {
  std::string_view name;  // as in `redact`, and in "[redacted:email]"
  RuleFinder find;
};

const std::vector<BuiltInRule>& built_in_rules();

// Checksums; of nothing but digits (ISO/IEC 7812-1), and of an IBAN without spaces (ISO 13616).
bool has_luhn_checksum(std::string_view digits);
bool has_iban_checksum(std::string_view iban);

}  // namespace invlog::bedrock
