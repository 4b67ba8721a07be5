#include "agent/bedrock/text_redactor.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>
#include <set>
#include <utility>

#include "agent/bedrock/base64_text.h"
#include "agent/bedrock/edit_limits.h"
#include "storage/base64.h"
#include "storage/json_escapes.h"

namespace invlog::bedrock {
namespace {

// JSON in a string in JSON in a string: nobody nests deeper in earnest.
constexpr int kEscapeLevels = 4;
constexpr std::string_view kRedacted = "[redacted:";

// A match that begins right behind a backslash would leave that alone with what follows.
TextRange with_backslash(std::string_view text, TextRange range) {
  std::size_t backslashes = 0;
  while (backslashes < range.begin && text[range.begin - 1 - backslashes] == '\\') {
    ++backslashes;
  }
  range.begin -= backslashes % 2;
  return range;
}

// Calls visit(text, origins) for the text as it stands (origins null), unless it is a JSON string
// with escapes, and with each level of its escapes undone.
template <typename Visit>
void each_level(std::string_view text, TextRedactor::Form form, Visit&& visit) {
  UnescapedText level;
  const bool escaped = unescape_json(text, level);
  if (form == TextRedactor::Form::raw || !escaped) {
    visit(text, nullptr);
  }
  for (int depth = 0; escaped && depth < kEscapeLevels; ++depth) {
    visit(std::string_view(level.text), &level.origins);
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
  std::size_t size = text.size();
  for (const TextEdit& edit : edits) {
    size += edit.replacement.size() - (edit.end - edit.begin);
  }
  if (size > 2 * text.size() + kMostGrowth) {
    throw TooManyEdits();
  }
  std::string out;
  out.reserve(size + simdjson::SIMDJSON_PADDING);
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

void TextRedactor::find(std::string_view text, Form form, std::string_view context,
                        std::vector<TextEdit>& edits, RuleCounts* counts) const {
  search(text, form, context, true, edits, counts);
}

void TextRedactor::search(std::string_view text, Form form, std::string_view context,
                          bool in_base64, std::vector<TextEdit>& edits, RuleCounts* counts) const {
  if (text.empty() || rules_.empty()) {
    return;
  }
  std::vector<TextEdit> own, encoded;
  std::set<std::pair<std::size_t, std::size_t>> seen;  // base64 with matches, on another level
  std::size_t encoded_matches = 0;
  std::vector<RuleMatch> matches;
  each_level(text, form, [&](std::string_view level, const std::vector<std::uint32_t>* origins) {
    const auto place = [&](TextRange range) {
      range = with_backslash(level, range);
      return origins == nullptr ? range : TextRange{(*origins)[range.begin], (*origins)[range.end]};
    };
    matches.clear();
    rules_.find(level, context, matches);
    for (const RuleMatch& match : matches) {
      const TextRange range = place(match.range);
      add_limited(own,
                  {range.begin, range.end, std::string(kRedacted) + rules_.name(match.rule) + "]"});
    }
    if (!in_base64) {
      return;
    }
    find_base64_texts(level, [&](std::size_t begin, std::size_t end, const std::string& decoded) {
      const TextRange range = place({begin, end});
      std::vector<TextEdit> inner;
      if (!seen.contains({range.begin, range.end})) {
        search(decoded, Form::raw, context, false, inner, counts);
      }
      encoded_matches += inner.size();
      if (encoded_matches > kMostEdits) {
        throw TooManyEdits();
      }
      if (!inner.empty()) {
        seen.emplace(range.begin, range.end);
        encoded.push_back({range.begin, range.end, storage::base64_encode(edited(decoded, inner))});
      }
    });
  });
  // What matches the encoded text as a whole, or more, takes its place.
  std::move(encoded.begin(), encoded.end(), std::back_inserter(own));
  settle_edits(own);
  for (TextEdit& edit : own) {
    if (counts != nullptr && edit.replacement.starts_with(kRedacted)) {
      ++(*counts)[edit.replacement.substr(kRedacted.size(),
                                          edit.replacement.size() - kRedacted.size() - 1)];
    }
    add_limited(edits, std::move(edit));
  }
}

}  // namespace invlog::bedrock
