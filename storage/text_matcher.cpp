#include "storage/text_matcher.h"

#include <string.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "storage/json_escapes.h"

namespace invlog::storage {
namespace {

// As the redaction: JSON in a string in JSON in a string.
constexpr std::size_t kEscapeLevels = 4;

// Looks for single bytes: for so short a text that is several times faster than memmem().
bool has_escape(std::string_view body, bool short_ones) {
  std::size_t at = body.find('\\');
  while (!short_ones && at != std::string_view::npos && !body.substr(at + 1).starts_with('u')) {
    at = body.find('\\', at + 1);
  }
  return at != std::string_view::npos;
}

std::optional<std::size_t> place_of(std::string_view part, std::string_view body) {
  const void* found = ::memmem(body.data(), body.size(), part.data(), part.size());
  if (found == nullptr) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(static_cast<const char*>(found) - body.data());
}

// One level of escapes undone, up to `most` bytes of it; `at` becomes where in `raw` that ends.
std::string unescaped(std::string_view raw, std::size_t most, std::size_t& at) {
  std::string text;
  text.reserve(std::min(raw.size(), most));
  for (at = 0; at < raw.size() && text.size() < most;) {
    if (raw[at] != '\\') {
      const std::size_t run =
          std::min({raw.find('\\', at), raw.size(), at + (most - text.size())}) - at;
      text.append(raw, at, run);
      at += run;
      continue;
    }
    const std::size_t length = undo_json_escape(raw, at, text);
    text += length == 0 ? "\\" : "";
    at += std::max<std::size_t>(length, 1);
  }
  return text;
}

// Where in `raw` byte `offset` of it without escapes comes from.
std::size_t origin(std::string_view raw, std::size_t offset) {
  std::size_t at = 0;
  unescaped(raw, offset, at);
  return at;
}

}  // namespace

TextMatcher::TextMatcher(std::string text)
    : text_(std::move(text)),
      short_escapes_(text_.find_first_of("\"\\/\b\f\n\r\t") != std::string::npos) {}

std::optional<TextMatcher::Match> TextMatcher::find_in(std::string_view body) const {
  if (const auto place = place_of(text_, body)) {
    return Match{*place, text_.size()};
  }
  // A match that is none as it stands has an escape in it: \uXXXX, if its characters have no other.
  // Both bytes are side by side also where the backslash is escaped, however often.
  if (!has_escape(body, short_escapes_)) {
    return std::nullopt;
  }
  std::vector<std::string> levels;
  levels.reserve(kEscapeLevels);
  for (std::string_view outer = body;
       levels.size() < kEscapeLevels && outer.find('\\') != std::string_view::npos;
       outer = levels.back()) {
    std::size_t end = 0;
    levels.push_back(unescaped(outer, outer.size(), end));
    if (const auto place = place_of(text_, levels.back())) {
      std::size_t begin = *place, behind = *place + text_.size();
      for (std::size_t level = levels.size(); level-- > 0;) {
        const std::string_view raw = level == 0 ? body : std::string_view(levels[level - 1]);
        begin = origin(raw, begin);
        behind = origin(raw, behind);
      }
      return Match{begin, behind - begin};
    }
  }
  return std::nullopt;
}

}  // namespace invlog::storage
