#include "exporters/aws/repeated_request.h"

#include <algorithm>
#include <utility>

#include "storage/json_escapes.h"
#include "storage/json_writer.h"

namespace invlog::aws {
namespace {

// Needs no escaping in JSON, and begins no request itself.
constexpr std::string_view kCutHere =
    "[invlog left out the request that the service repeated here]";

// npos: there is none.
std::size_t start_of_request(std::string_view text) {
  constexpr std::string_view kStarts[] = {"The Canonical String", "The String-to-Sign",
                                          "Authorization=", "x-amz-security-token:"};
  std::size_t first = std::string_view::npos;
  for (const std::string_view start : kStarts) {
    first = std::min(first, text.find(start));
  }
  return first;
}

// Appends the JSON string that begins behind its quote at `at`, without escapes; returns where its
// other quote is, or the text ends.
std::size_t append_json_text(std::string_view json, std::size_t at, std::string& text) {
  while (at < json.size() && json[at] != '"') {
    const std::size_t escape = json[at] == '\\' ? storage::undo_json_escape(json, at, text) : 0;
    if (escape == 0) {
      text += json[at];
    }
    at += std::max<std::size_t>(escape, 1);
  }
  return at;
}

bool cut_json_strings(std::string& json) {
  std::string out, text;
  std::size_t taken = 0;
  for (std::size_t quote = json.find('"'); quote < json.size();) {
    text.clear();
    const std::size_t end = append_json_text(json, quote + 1, text);
    const std::size_t start = start_of_request(text);
    if (start != std::string::npos) {
      out.append(json, taken, quote + 1 - taken);
      storage::append_json_escaped(out, std::string_view(text).substr(0, start));
      out += kCutHere;
      taken = end;
    }
    quote = end < json.size() ? json.find('"', end + 1) : end;
  }
  if (taken == 0) {
    return false;
  }
  out.append(json, taken);
  json = std::move(out);
  return true;
}

}  // namespace

std::string_view without_repeated_request(std::string_view message) {
  return message.substr(0, start_of_request(message));
}

bool cut_repeated_request(std::string& body) {
  const std::size_t first = body.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  const bool is_json = first != std::string::npos &&
                       (body[first] == '{' || body[first] == '[' || body[first] == '"');
  const bool cut_strings = is_json && cut_json_strings(body);
  // Of JSON, this is in none of its strings: it is no JSON after all.
  const std::size_t start = start_of_request(body);
  if (start != std::string::npos) {
    body.resize(start);
    body += kCutHere;
  }
  return cut_strings || start != std::string::npos;
}

}  // namespace invlog::aws
