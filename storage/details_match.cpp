#include "storage/details_match.h"

#include <algorithm>

#include "storage/base64.h"

namespace invlog::storage {
namespace {

// A stream's rest, and in its events what the model's chunks are.
constexpr int kEncodedLevels = 2;

bool has_content(std::string_view member, Bodies of) {
  const bool of_request = member == "otherRequestEvents";
  const bool of_response =
      member == "undecoded" || member == "otherEvents" || member == "streamErrors";
  return (of_request && of != Bodies::response) || (of_response && of != Bodies::request);
}

// Behind the string that begins at `at`.
std::size_t string_end(std::string_view json, std::size_t at) {
  for (++at; at < json.size() && json[at] != '"'; ++at) {
    at += json[at] == '\\' ? 1 : 0;
  }
  return std::min(at + 1, json.size());
}

// Behind the member's value that begins at `at`.
std::size_t value_end(std::string_view json, std::size_t at) {
  for (int depth = 0; at < json.size();) {
    const char byte = json[at];
    if (byte == '"') {
      at = string_end(json, at);
      continue;
    }
    const bool opens = byte == '{' || byte == '[', closes = byte == '}' || byte == ']';
    if (depth == 0 && (byte == ',' || closes)) {
      break;
    }
    depth += opens ? 1 : closes ? -1 : 0;
    ++at;
  }
  return at;
}

// What stands between two quotes need be no string: in a stream's bytes a quote may be anything.
std::optional<DetailsMatch> find_at_level(const TextMatcher& matcher, std::string_view text,
                                          int level) {
  if (const auto match = matcher.find_in(text)) {
    return DetailsMatch{match->offset, std::string(text), *match};
  }
  std::size_t quote = level < kEncodedLevels ? text.find('"') : std::string_view::npos;
  while (quote != std::string_view::npos) {
    const std::size_t begin = quote + 1;
    quote = text.find('"', begin);
    std::string_view between = text.substr(begin, quote - begin);
    if (quote == std::string_view::npos) {
      between.remove_suffix(between.size() % 4);  // a stream may be cut within it
    }
    const std::optional<std::string> decoded = base64_decode(between);
    auto match = decoded ? find_at_level(matcher, *decoded, level + 1) : std::nullopt;
    if (match) {
      match->offset = begin;
      return match;
    }
  }
  return std::nullopt;
}

}  // namespace

// The agent writes an object without white space between its members.
std::optional<DetailsMatch> find_in_details(const TextMatcher& matcher, std::string_view details,
                                            Bodies of) {
  for (std::size_t at = 1; at < details.size() && details[at] == '"';) {
    const std::size_t value = string_end(details, at) + 1;
    if (value >= details.size()) {
      break;
    }
    const std::string_view name = details.substr(at + 1, value - at - 3);
    const std::size_t end = value_end(details, value);
    if (has_content(name, of)) {
      if (auto match = find_at_level(matcher, details.substr(value, end - value), 0)) {
        match->offset += value;
        return match;
      }
    }
    at = end + 1;
  }
  return std::nullopt;
}

}  // namespace invlog::storage
