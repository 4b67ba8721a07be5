#include "agent/bedrock/built_in_rules.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>

#include "agent/bedrock/edit_limits.h"
#include "storage/lower_case.h"

namespace invlog::bedrock {
namespace {

bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}
bool is_letter(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}
bool is_word(char byte) {
  return is_digit(byte) || is_letter(byte);
}
bool is_base64(char byte) {
  return is_word(byte) || byte == '/' || byte == '+';
}

bool contains(std::string_view text, std::string_view part) {
  return ::memmem(text.data(), text.size(), part.data(), part.size()) != nullptr;
}

// "secret", however it is written.
bool speaks_of_secrets(std::string_view text) {
  constexpr std::string_view kWord = "secret";
  return std::search(text.begin(), text.end(), kWord.begin(), kWord.end(),
                     [](char left, char right) { return storage::lower_case(left) == right; }) !=
         text.end();
}

const RE2& compiled(const char* pattern) {
  RE2::Options options;
  options.set_log_errors(false);
  // Never destroyed: the writer's thread may outlive static objects.
  return *new RE2(pattern, options);
}

// What stands between a number's groups: spaces (also no-break, thin and narrow no-break ones, as
// word processors and models write them) and hyphens (U+2010, U+2011 and the en dash, too).
constexpr const char* kSpaces = " \\x{A0}\\x{2009}\\x{202F}";  // in a class of RE2's
constexpr const char* kHyphens = "\\-\\x{2010}\\x{2011}";
constexpr std::array<std::string_view, 6> kLongGaps = {
    "\xC2\xA0", "\xE2\x80\x89", "\xE2\x80\xAF", "\xE2\x80\x90", "\xE2\x80\x91", "\xE2\x80\x93"};
// A byte of each hyphen that no space and no en dash has, and all bytes of all.
constexpr std::string_view kHyphenBytes = "-\x90\x91";
constexpr std::string_view kGapBytes = " -\xC2\xA0\xE2\x80\x89\xAF\x90\x91\x93";

// The length of such a gap in bytes; 0: there is none.
std::size_t gap_at(std::string_view text, std::size_t at) {
  if (at >= text.size()) {
    return 0;
  }
  if (text[at] == ' ' || text[at] == '-') {
    return 1;
  }
  const std::string_view rest = text.substr(at, 3);
  const auto found = std::find_if(kLongGaps.begin(), kLongGaps.end(),
                                  [rest](std::string_view gap) { return rest.starts_with(gap); });
  return found == kLongGaps.end() ? 0 : found->size();
}

// One that holds parts of an identifier together, which an en dash does not.
bool ends_with_hyphen(std::string_view text) {
  return text.ends_with('-') || text.ends_with("\xE2\x80\x90") || text.ends_with("\xE2\x80\x91");
}

// Where to look on after a match that was refused. Only where matches are short may it be within.
enum class Refused { skip, look_within };

// Appends the matches of `pattern` that `accept(range)` takes, which may shorten them.
template <typename Accept>
void find_pattern(const RE2& pattern, std::string_view text, std::vector<TextRange>& found,
                  Refused refused, Accept&& accept) {
  const re2::StringPiece whole(text.data(), text.size());
  re2::StringPiece match;
  std::size_t at = 0;
  while (at < text.size() && pattern.Match(whole, at, text.size(), RE2::UNANCHORED, &match, 1)) {
    const auto begin = static_cast<std::size_t>(match.data() - text.data());
    TextRange range{begin, begin + match.size()};
    const bool accepted = match.size() != 0 && accept(range);
    if (accepted) {
      add_limited(found, range);
    }
    at = accepted || refused == Refused::skip ? std::max(range.end, begin + 1) : begin + 1;
  }
}

void find_email(std::string_view text, std::string_view, std::vector<TextRange>& found) {
  if (std::memchr(text.data(), '@', text.size()) == nullptr) {
    return;
  }
  static const RE2& pattern = compiled(
      "[\\pL\\pN._%+'\\-]+@[\\pL\\pN](?:[\\pL\\pN\\-]*[\\pL\\pN])?"
      "(?:\\.[\\pL\\pN](?:[\\pL\\pN\\-]*[\\pL\\pN])?)*\\.(?:\\pL{2,}|xn--[a-z0-9\\-]+)");
  find_pattern(pattern, text, found, Refused::skip, [](const TextRange&) { return true; });
}

// Lengths by country: the SWIFT registry of IBANs, release 99.
std::size_t iban_length(char first, char second) {
  struct Country {
    char code[3];
    unsigned char length;
  };
  static constexpr Country kCountries[] = {
      {"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16},
      {"BG", 22}, {"BH", 22}, {"BI", 27}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22},
      {"CY", 28}, {"CZ", 24}, {"DE", 22}, {"DJ", 27}, {"DK", 18}, {"DO", 28}, {"EE", 20},
      {"EG", 29}, {"ES", 24}, {"FI", 18}, {"FK", 18}, {"FO", 18}, {"FR", 27}, {"GB", 22},
      {"GE", 22}, {"GI", 23}, {"GL", 18}, {"GR", 27}, {"GT", 28}, {"HN", 28}, {"HR", 21},
      {"HU", 28}, {"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26}, {"IT", 27}, {"JO", 30},
      {"KW", 30}, {"KZ", 20}, {"LB", 28}, {"LC", 32}, {"LI", 21}, {"LT", 20}, {"LU", 20},
      {"LV", 21}, {"LY", 25}, {"MC", 27}, {"MD", 24}, {"ME", 22}, {"MK", 19}, {"MN", 20},
      {"MR", 27}, {"MT", 31}, {"MU", 30}, {"NI", 28}, {"NL", 18}, {"NO", 15}, {"OM", 23},
      {"PK", 24}, {"PL", 28}, {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22},
      {"RU", 33}, {"SA", 24}, {"SC", 31}, {"SD", 18}, {"SE", 24}, {"SI", 19}, {"SK", 24},
      {"SM", 27}, {"SO", 23}, {"ST", 25}, {"SV", 28}, {"TL", 23}, {"TN", 24}, {"TR", 26},
      {"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20}, {"YE", 30}};
  for (const Country& country : kCountries) {
    if (storage::lower_case(first) == storage::lower_case(country.code[0]) &&
        storage::lower_case(second) == storage::lower_case(country.code[1])) {
      return country.length;
    }
  }
  return 0;
}

// The end of the IBAN that begins at `begin`, or `begin`. Single spaces and hyphens may stand in
// it.
std::size_t iban_end(std::string_view text, std::size_t begin) {
  const std::size_t length = iban_length(text[begin], text[begin + 1]);
  std::string compact;
  std::size_t at = begin;
  while (compact.size() < length && at < text.size()) {
    const std::size_t gap = at > begin && is_word(text[at - 1]) ? gap_at(text, at) : 0;
    if (gap == 0 && !is_word(text[at])) {
      return begin;
    }
    if (gap == 0) {
      compact += text[at];
    }
    at += gap == 0 ? 1 : gap;
  }
  const bool ends = at == text.size() || !is_word(text[at]);
  return length != 0 && compact.size() == length && ends && has_iban_checksum(compact) ? at : begin;
}

void find_iban(std::string_view text, std::string_view, std::vector<TextRange>& found) {
  constexpr std::size_t kShortest = 15;
  for (std::size_t at = 0; at + kShortest <= text.size(); ++at) {
    if (!is_digit(text[at + 2])) {
      at += is_letter(text[at + 2]) ? 0 : 2;  // no IBAN's letters can reach over it
      continue;
    }
    if (!is_digit(text[at + 3]) || !is_letter(text[at]) || !is_letter(text[at + 1]) ||
        (at > 0 && is_word(text[at - 1]))) {
      continue;
    }
    const std::size_t end = iban_end(text, at);
    if (end > at) {
      add_limited(found, {at, end});
      at = end - 1;
    }
  }
}

// Takes the last group of digits off, with what separates it; false: it hangs on the number by a
// hyphen or a full stop, as an identifier's part would.
bool take_group_off(std::string_view text, TextRange& range) {
  const auto strip_until = [&](auto is_wanted) {
    while (range.end > range.begin && !is_wanted(text[range.end - 1])) {
      --range.end;
    }
  };
  strip_until([](char byte) { return !is_digit(byte); });
  const std::size_t group = range.end;
  strip_until(is_digit);
  const std::string_view gap = text.substr(range.end, group - range.end);
  return gap.find('.') == std::string_view::npos &&
         gap.find_first_of(kHyphenBytes) == std::string_view::npos;
}

// Shortens the match by groups at its end if it reaches into a number that follows.
bool plausible_phone(std::string_view text, TextRange& range) {
  // Within a longer number, a version, an amount, an identifier.
  const char before = range.begin == 0 ? ' ' : text[range.begin - 1];
  if (is_word(before) || before == '.' || before == ',' || before == '_' || before == '/' ||
      ends_with_hyphen(text.substr(0, range.begin))) {
    return false;
  }
  const bool international = text[range.begin] == '+' || text.substr(range.begin, 2) == "00";
  const std::ptrdiff_t least = text[range.begin] == '1' ? 11 : 7;
  bool may_end = true;
  for (;;) {
    const std::string_view number = text.substr(range.begin, range.end - range.begin);
    const auto digits = std::count_if(number.begin(), number.end(), is_digit);
    if (digits < least) {
      return false;
    }
    if (may_end && digits <= 15 && (range.end == text.size() || !is_word(text[range.end]))) {
      return true;
    }
    may_end = take_group_off(text, range) || international;
  }
}

std::string phone_pattern() {
  const std::string space = kSpaces, hyphen = kHyphens, stop = "[" + space + hyphen + ".\\x{2013}]";
  // + or 00.
  const std::string international =
      "(?:\\+|00 ?)[1-9](?:(?: ?\\(0\\) ?|[" + space + hyphen + "./()]){0,2}[0-9]){6,14}";
  // 3-3-4, with its 1 or without; here an en dash stands for nothing else.
  const std::string north_american =
      "(?:1" + stop + ")?\\(?[2-9][0-9]{2}(?:\\) ?|" + stop + ")[2-9][0-9]{2}" + stop + "[0-9]{4}";
  // A trunk 0, then a clear separator.
  const std::string national = "\\(?0[1-9][0-9]{0,4}(?:\\) ?| ?[/" + hyphen + "] ?|[" + space +
                               "])[0-9]{2,8}(?:[" + space + hyphen + "][0-9]{2,8}){0,4}";
  return international + "|" + north_american + "|" + national;
}

void find_phone(std::string_view text, std::string_view, std::vector<TextRange>& found) {
  static const RE2& pattern = compiled(phone_pattern().c_str());
  std::size_t run = 0, longest = 0;
  for (const char byte : text) {
    const bool separator = (byte >= '(' && byte <= '/' && byte != ',') ||
                           kGapBytes.find(byte) != std::string_view::npos;
    run = is_digit(byte) ? run + 1 : separator ? run : 0;
    longest = std::max(longest, run);
  }
  if (longest >= 7) {
    find_pattern(pattern, text, found, Refused::look_within,
                 [text](TextRange& range) { return plausible_phone(text, range); });
  }
}

// Digits with single spaces or hyphens between groups of them, as long as it goes.
struct DigitGroups {
  std::vector<TextRange> groups;
  std::size_t end = 0;
};
// A card's number has no more groups than this, and so many are read at a time.
constexpr std::size_t kMostCardGroups = 6, kMostGroupsRead = 64;

void read_digit_groups(std::string_view text, std::size_t begin, DigitGroups& run) {
  run.groups.clear();
  std::size_t at = begin;
  while (run.groups.size() < kMostGroupsRead && at < text.size() && is_digit(text[at])) {
    std::size_t end = at;
    while (end < text.size() && is_digit(text[end])) {
      ++end;
    }
    run.groups.push_back({at, end});
    run.end = end;
    const std::size_t gap = gap_at(text, end);
    if (gap == 0) {
      break;
    }
    at = end + gap;
  }
}

// How many of the groups from `first` on are a card's number; 0: none.
std::size_t card_groups(std::string_view text, const DigitGroups& run, std::size_t first) {
  std::string digits;
  std::size_t taken = 0;
  for (std::size_t count = 1; first + count <= run.groups.size() && count <= kMostCardGroups;
       ++count) {
    const TextRange group = run.groups[first + count - 1];
    const std::size_t size = group.end - group.begin;
    digits += text.substr(group.begin, std::min<std::size_t>(size, 20));
    if (digits.size() > 19) {
      break;
    }
    const bool grouped = count == 1 || (size >= 3 && size <= 7);
    if (!grouped) {
      break;
    }
    if (digits.size() >= 13 && has_luhn_checksum(digits)) {
      taken = count;
    }
    if (count == 1 && (size < 3 || size > 7)) {
      break;  // a number of its own, or nothing that a card's number begins with
    }
  }
  return taken;
}

void find_payment_card(std::string_view text, std::string_view, std::vector<TextRange>& found) {
  DigitGroups run;
  for (std::size_t at = 0; at + 13 <= text.size(); ++at) {
    if (!is_digit(text[at])) {
      continue;
    }
    read_digit_groups(text, at, run);
    const bool within_word = at > 0 && (is_word(text[at - 1]) || text[at - 1] == '.');
    // Those at the end may go on behind what was read: they are the next ones to begin with.
    const bool whole = run.groups.size() < kMostGroupsRead;
    const std::size_t looked_at = run.groups.size() - (whole ? 0 : kMostCardGroups);
    std::size_t first = 0;
    for (; first < looked_at; ++first) {
      const char leading = text[run.groups[first].begin];
      // ISO/IEC 7812: cards for payments begin with 2 to 6. Others are mostly times and counters.
      if (leading < '2' || leading > '6' || (first == 0 && within_word)) {
        continue;
      }
      if (const std::size_t count = card_groups(text, run, first); count != 0) {
        const std::size_t end = run.groups[first + count - 1].end;
        if (end == text.size() || !is_letter(text[end])) {
          add_limited(found, {run.groups[first].begin, end});
          first += count - 1;
        }
      }
    }
    at = first < run.groups.size() ? run.groups[first].begin - 1 : run.end;
  }
}

// AKIA..., ASIA...: an access key's id.
void find_key_ids(std::string_view text, std::vector<TextRange>& found) {
  constexpr std::size_t kLength = 20;
  for (std::size_t at = text.find("IA"); at != std::string_view::npos;
       at = text.find("IA", at + 1)) {
    if (at < 2 || text[at - 2] != 'A' || (text[at - 1] != 'K' && text[at - 1] != 'S')) {
      continue;
    }
    const std::size_t begin = at - 2, end = begin + kLength;
    const auto in_key = [](char byte) { return is_digit(byte) || (byte >= 'A' && byte <= 'Z'); };
    if (end > text.size() || (begin > 0 && is_word(text[begin - 1])) ||
        (end < text.size() && is_word(text[end])) ||
        !std::all_of(text.begin() + static_cast<std::ptrdiff_t>(begin),
                     text.begin() + static_cast<std::ptrdiff_t>(end), in_key)) {
      continue;
    }
    add_limited(found, {begin, end});
  }
}

// 40 base64 characters with the word "secret" shortly before or after them, or in the member's
// name.
void find_secret_keys(std::string_view text, std::string_view context,
                      std::vector<TextRange>& found) {
  constexpr std::size_t kLength = 40, kNear = 64;
  std::optional<bool> named_secret;  // read once: a member's name may be as long as its text
  const auto is_named_secret = [&] {
    named_secret = named_secret.value_or(false) || (!named_secret && speaks_of_secrets(context));
    return *named_secret;
  };
  for (std::size_t at = 0; at + kLength <= text.size();) {
    std::size_t end = at;
    while (end < text.size() && is_base64(text[end])) {
      ++end;
    }
    if (end - at == kLength) {
      const std::size_t from = at > kNear ? at - kNear : 0;
      if (is_named_secret() || speaks_of_secrets(text.substr(from, at - from)) ||
          speaks_of_secrets(text.substr(end, kNear))) {
        add_limited(found, {at, end});
      }
    }
    at = end + 1;
  }
}

void find_aws_key(std::string_view text, std::string_view context, std::vector<TextRange>& found) {
  find_key_ids(text, found);
  const std::size_t ids = found.size();
  find_secret_keys(text, context, found);
  if (ids != found.size()) {
    std::sort(found.begin(), found.end(), [](const TextRange& left, const TextRange& right) {
      return left.begin < right.begin;
    });
  }
}

void find_bearer_token(std::string_view text, std::string_view, std::vector<TextRange>& found) {
  if (!contains(text, "earer") && !contains(text, "EARER") && !contains(text, "eyJ") &&
      !contains(text, "bedrock-api-key-") && !contains(text, "ABSK")) {
    return;
  }
  static const RE2& pattern = compiled(
      "\\b(?i:bearer)(?:[ \\t]|%20)+[A-Za-z0-9\\-._~+/]{8,}=*"
      "|\\beyJ[A-Za-z0-9_\\-]{8,}\\.[A-Za-z0-9_\\-]{4,}\\.[A-Za-z0-9_\\-]*"
      "|\\bbedrock-api-key-[A-Za-z0-9+/=_\\-]+"
      "|\\bABSK[A-Za-z0-9+/]{40,}=*");
  find_pattern(pattern, text, found, Refused::skip, [text](const TextRange& range) {
    const std::string_view match = text.substr(range.begin, range.end - range.begin);
    // "bearer certificates" is no token.
    return storage::lower_case(match[0]) != 'b' || match.size() >= 7 + 20 ||
           std::any_of(match.begin(), match.end(), is_digit);
  });
}

}  // namespace

bool has_luhn_checksum(std::string_view digits) {
  int sum = 0;
  bool doubled = false;
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) {
    const int value = (*digit - '0') * (doubled ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
    doubled = !doubled;
  }
  return sum % 10 == 0;
}

bool has_iban_checksum(std::string_view iban) {
  std::string rotated(iban.substr(4));
  rotated += iban.substr(0, 4);
  int remainder = 0;
  for (const char byte : rotated) {
    const int value = is_digit(byte) ? byte - '0' : storage::lower_case(byte) - 'a' + 10;
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97;
  }
  return remainder == 1;
}

const std::vector<BuiltInRule>& built_in_rules() {
  static const std::vector<BuiltInRule> rules = {
      {"email", find_email},     {"iban", find_iban},
      {"phone", find_phone},     {"payment-card", find_payment_card},
      {"aws-key", find_aws_key}, {"bearer-token", find_bearer_token},
  };
  return rules;
}

}  // namespace invlog::bedrock
