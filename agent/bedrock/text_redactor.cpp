#include "agent/bedrock/text_redactor.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "storage/base64.h"
#include "storage/json_escapes.h"

namespace invlog::bedrock {
namespace {

// JSON in a string in JSON in a string: nobody nests deeper in earnest.
constexpr int kEscapeLevels = 4;
constexpr std::size_t kShortestBase64 = 24;

bool is_base64_character(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '+' || byte == '/' || byte == '=';
}

// What `encoded` decodes to, if it is base64 of text. Looks at the beginning first: most is not.
std::optional<std::string> base64_text(std::string_view encoded) {
  if (encoded.size() < kShortestBase64 || encoded.size() % 4 != 0 ||
      !std::all_of(encoded.begin(), encoded.begin() + kShortestBase64, is_base64_character)) {
    return std::nullopt;
  }
  const auto beginning = storage::base64_decode(encoded.substr(0, kShortestBase64));
  if (encoded.size() > kShortestBase64 && (!beginning || !is_plain_text(*beginning))) {
    return std::nullopt;
  }
  std::optional<std::string> text = storage::base64_decode(encoded);
  return text && is_plain_text(*text) ? text : std::nullopt;
}

// A match that begins right behind a backslash would leave that alone with what follows.
TextRange with_backslash(std::string_view text, TextRange range) {
  std::size_t backslashes = 0;
  while (backslashes < range.begin && text[range.begin - 1 - backslashes] == '\\') {
    ++backslashes;
  }
  range.begin -= backslashes % 2;
  return range;
}

}  // namespace

void settle_edits(std::vector<TextEdit>& edits) {
  std::stable_sort(edits.begin(), edits.end(), [](const TextEdit& left, const TextEdit& right) {
    return left.begin != right.begin ? left.begin < right.begin : left.end > right.end;
  });
  std::size_t kept = 0;
  for (std::size_t next = 0; next < edits.size(); ++next) {
    if (kept != 0 && edits[next].begin < edits[kept - 1].end) {
      edits[kept - 1].end = std::max(edits[kept - 1].end, edits[next].end);
      continue;
    }
    if (kept != next) {
      edits[kept] = std::move(edits[next]);
    }
    ++kept;
  }
  edits.resize(kept);
}

std::string edited(std::string_view text, const std::vector<TextEdit>& edits) {
  std::string out;
  out.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  std::size_t copied = 0;
  for (const TextEdit& edit : edits) {
    out.append(text, copied, edit.begin - copied);
    out += edit.replacement;
    copied = edit.end;
  }
  out.append(text, copied);
  return out;
}

bool unescape_json(std::string_view raw, UnescapedText& unescaped) {
  if (raw.find('\\') == std::string_view::npos ||
      raw.size() >= std::numeric_limits<std::uint32_t>::max()) {
    return false;
  }
  unescaped.text.clear();
  unescaped.origins.clear();
  unescaped.text.reserve(raw.size());
  unescaped.origins.reserve(raw.size() + 1);
  bool any = false;
  for (std::size_t at = 0; at < raw.size();) {
    const std::size_t run = std::min(raw.find('\\', at), raw.size());
    unescaped.text.append(raw, at, run - at);
    for (; at < run; ++at) {
      unescaped.origins.push_back(static_cast<std::uint32_t>(at));
    }
    if (at == raw.size()) {
      break;
    }
    std::size_t length = storage::undo_json_escape(raw, at, unescaped.text);
    any = any || length != 0;
    if (length == 0) {
      unescaped.text += raw[at];
      length = 1;
    }
    unescaped.origins.resize(unescaped.text.size(), static_cast<std::uint32_t>(at));
    at += length;
  }
  unescaped.origins.push_back(static_cast<std::uint32_t>(raw.size()));
  return any;
}

bool is_plain_text(std::string_view bytes) {
  for (const char byte : bytes) {
    if (static_cast<unsigned char>(byte) < 0x20 && byte != '\n' && byte != '\r' && byte != '\t' &&
        byte != '\f') {
      return false;
    }
  }
  // A cut leaves up to three bytes of a character.
  for (std::size_t missing = 0; missing < 4 && missing <= bytes.size(); ++missing) {
    if (simdjson::validate_utf8(bytes.data(), bytes.size() - missing)) {
      return true;
    }
  }
  return false;
}

void TextRedactor::find_matches(std::string_view text, Form form, std::string_view context,
                                std::vector<RuleMatch>& found) const {
  UnescapedText level;
  const bool escaped = unescape_json(text, level);
  if (form == Form::raw || !escaped) {
    rules_.find(text, context, found);
    for (RuleMatch& match : found) {
      match.range = form == Form::raw ? with_backslash(text, match.range) : match.range;
    }
  }
  std::vector<RuleMatch> here;
  for (int depth = 0; escaped && depth < kEscapeLevels; ++depth) {
    here.clear();
    rules_.find(level.text, context, here);
    for (RuleMatch& match : here) {
      const TextRange range = with_backslash(level.text, match.range);
      found.push_back({{level.origins[range.begin], level.origins[range.end]}, match.rule});
    }
    UnescapedText deeper;
    if (!unescape_json(level.text, deeper)) {
      break;
    }
    for (std::uint32_t& origin : deeper.origins) {
      origin = level.origins[origin];
    }
    level = std::move(deeper);
  }
}

bool TextRedactor::find_in_base64(std::string_view text, std::string_view context,
                                  std::vector<TextEdit>& edits, RuleCounts* counts) const {
  UnescapedText unescaped;
  std::string_view encoded = unescape_json(text, unescaped) ? unescaped.text : text;
  std::string prefix;
  if (encoded.starts_with("data:")) {
    constexpr std::string_view kMark = ";base64,";
    const std::size_t mark = encoded.substr(0, 256).find(kMark);
    if (mark == std::string_view::npos) {
      return false;
    }
    prefix = encoded.substr(0, mark + kMark.size());
    encoded.remove_prefix(prefix.size());
  }
  const std::optional<std::string> decoded = base64_text(encoded);
  if (!decoded) {
    return false;
  }
  std::vector<TextEdit> inner;
  find(*decoded, Form::raw, context, inner, counts);
  if (inner.empty()) {
    return false;
  }
  edits.push_back({0, text.size(), prefix + storage::base64_encode(edited(*decoded, inner))});
  return true;
}

void TextRedactor::find(std::string_view text, Form form, std::string_view context,
                        std::vector<TextEdit>& edits, RuleCounts* counts) const {
  if (text.empty() || rules_.empty()) {
    return;
  }
  if (form == Form::json_string && find_in_base64(text, context, edits, counts)) {
    return;
  }
  std::vector<RuleMatch> found;
  find_matches(text, form, context, found);
  if (found.empty()) {
    return;
  }
  std::vector<TextEdit> own;
  for (const RuleMatch& match : found) {
    own.push_back({match.range.begin, match.range.end, rules_.name(match.rule)});
  }
  settle_edits(own);
  for (TextEdit& edit : own) {
    if (counts != nullptr) {
      ++(*counts)[edit.replacement];
    }
    edits.push_back({edit.begin, edit.end, "[redacted:" + edit.replacement + "]"});
  }
}

}  // namespace invlog::bedrock
