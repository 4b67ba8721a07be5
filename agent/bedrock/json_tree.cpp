#include "agent/bedrock/json_tree.h"

#include <cstring>
#include <limits>

#include "agent/bedrock/text_redactor.h"

namespace invlog::bedrock {
namespace {

bool is_number_byte(char byte) {
  return (byte >= '0' && byte <= '9') || byte == '-' || byte == '+' || byte == '.' || byte == 'e' ||
         byte == 'E';
}

bool is_space(char byte) {
  return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

std::string unescape(std::string_view raw) {
  UnescapedText unescaped;
  return unescape_json(raw, unescaped) ? std::move(unescaped.text) : std::string(raw);
}

}  // namespace

bool JsonTree::parse(std::string_view text) {
  text_ = text;
  nodes_.clear();
  std::size_t at = 0;
  if (text.size() >= std::numeric_limits<std::uint32_t>::max() || !read_value(at, 0)) {
    nodes_.clear();
    return false;
  }
  skip_space(at);
  return at == text.size();
}

void JsonTree::skip_space(std::size_t& at) const {
  while (at < text_.size() && is_space(text_[at])) {
    ++at;
  }
}

// From the opening quote to behind the closing one. The next quote is looked for anew only once it
// was passed: a string of nothing but escapes is read in linear time, too.
bool JsonTree::read_string(std::size_t& at) const {
  if (at >= text_.size() || text_[at] != '"') {
    return false;
  }
  const auto next = [this](char byte, std::size_t from, std::size_t end) {
    const void* found = std::memchr(text_.data() + from, byte, end - from);
    return found == nullptr
               ? end
               : static_cast<std::size_t>(static_cast<const char*>(found) - text_.data());
  };
  std::size_t quote = ++at;
  bool known = false;
  while (at < text_.size()) {
    if (!known || quote < at) {
      quote = next('"', at, text_.size());
      known = true;
    }
    const std::size_t escape = next('\\', at, quote);
    if (escape == quote) {
      at = quote + 1;
      return quote < text_.size();
    }
    at = escape + 2;
  }
  return false;
}

// From behind the '[' to behind the ']', if there are only numbers between them, and at least one.
bool JsonTree::read_numbers(std::size_t& at) {
  std::size_t end = at;
  bool any = false;
  while (end < text_.size() &&
         (is_number_byte(text_[end]) || is_space(text_[end]) || text_[end] == ',')) {
    any = any || is_number_byte(text_[end]);
    ++end;
  }
  if (!any || end >= text_.size() || text_[end] != ']') {
    return false;
  }
  at = end + 1;
  return true;
}

bool JsonTree::read_value(std::size_t& at, int depth) {
  skip_space(at);
  if (at >= text_.size() || depth > kMaximumDepth || nodes_.size() >= kMostNodes) {
    return false;
  }
  const std::size_t node = nodes_.size();
  nodes_.emplace_back();
  nodes_[node].begin = static_cast<std::uint32_t>(at);
  Kind kind = Kind::literal;
  bool read = true;
  switch (text_[at]) {
    case '{':
      kind = Kind::object;
      read = read_members(++at, depth);
      break;
    case '[':
      ++at;
      kind = read_numbers(at) ? Kind::numbers : Kind::array;
      read = kind == Kind::numbers || read_elements(at, depth);
      break;
    case '"':
      kind = Kind::string;
      read = read_string(at);
      break;
    default: {
      kind = is_number_byte(text_[at]) ? Kind::number : Kind::literal;
      const std::size_t begin = at;
      while (at < text_.size() &&
             (is_number_byte(text_[at]) ||
              (kind == Kind::literal && text_[at] >= 'a' && text_[at] <= 'z'))) {
        ++at;
      }
      read = at > begin;
    }
  }
  nodes_[node].kind = kind;
  nodes_[node].end = static_cast<std::uint32_t>(at);
  nodes_[node].after = static_cast<std::uint32_t>(nodes_.size());
  return read;
}

bool JsonTree::read_members(std::size_t& at, int depth) {
  skip_space(at);
  if (at < text_.size() && text_[at] == '}') {
    ++at;
    return true;
  }
  for (;;) {
    skip_space(at);
    const std::size_t name_begin = at + 1;
    if (!read_string(at)) {
      return false;
    }
    const std::size_t name_end = at - 1;
    skip_space(at);
    if (at >= text_.size() || text_[at] != ':') {
      return false;
    }
    const std::size_t member = nodes_.size();
    if (!read_value(++at, depth + 1)) {
      return false;
    }
    nodes_[member].name_begin = static_cast<std::uint32_t>(name_begin);
    nodes_[member].name_end = static_cast<std::uint32_t>(name_end);
    nodes_[member].named = true;
    skip_space(at);
    if (at >= text_.size() || (text_[at] != ',' && text_[at] != '}')) {
      return false;
    }
    if (text_[at++] == '}') {
      return true;
    }
  }
}

bool JsonTree::read_elements(std::size_t& at, int depth) {
  skip_space(at);
  if (at < text_.size() && text_[at] == ']') {
    ++at;
    return true;
  }
  for (;;) {
    if (!read_value(at, depth + 1)) {
      return false;
    }
    skip_space(at);
    if (at >= text_.size() || (text_[at] != ',' && text_[at] != ']')) {
      return false;
    }
    if (text_[at++] == ']') {
      return true;
    }
  }
}

std::string_view JsonTree::raw(std::size_t node) const {
  return text_.substr(nodes_[node].begin, nodes_[node].end - nodes_[node].begin);
}

std::string_view JsonTree::content(std::size_t node) const {
  return text_.substr(nodes_[node].begin + 1, nodes_[node].end - nodes_[node].begin - 2);
}

std::string JsonTree::unescaped(std::size_t node) const {
  return unescape(content(node));
}

std::string JsonTree::name(std::size_t node) const {
  const JsonNode& found = nodes_[node];
  return unescape(text_.substr(found.name_begin, found.name_end - found.name_begin));
}

bool JsonTree::is_named(std::size_t node, std::string_view name) const {
  const JsonNode& found = nodes_[node];
  const std::string_view written =
      text_.substr(found.name_begin, found.name_end - found.name_begin);
  if (!found.named) {
    return false;
  }
  return written == name ||
         (written.find('\\') != std::string_view::npos && unescape(written) == name);
}

std::size_t JsonTree::member(std::size_t object, std::string_view name) const {
  std::size_t found = 0;
  if (nodes_[object].kind == Kind::object) {
    each_child(object, [&](std::size_t child) {
      if (found == 0 && is_named(child, name)) {
        found = child;
      }
    });
  }
  return found;
}

void JsonTree::replace(std::size_t node) {
  for (std::size_t below = node; below < nodes_[node].after; ++below) {
    nodes_[below].replaced = true;
  }
}

}  // namespace invlog::bedrock
