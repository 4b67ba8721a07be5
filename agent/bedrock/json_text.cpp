#include "agent/bedrock/json_text.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "agent/bedrock/invocation.h"
#include "storage/json_escapes.h"

namespace invlog::bedrock {
namespace {

// Above this a parser is thrown away after use: its buffers are several times the text.
constexpr std::size_t kKeptCapacity = 512 * 1024;

bool is_space(char character) {
  return character == ' ' || character == '\t' || character == '\n' || character == '\r';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.back())) {
    text.remove_suffix(1);
  }
  while (!text.empty() && is_space(text.front())) {
    text.remove_prefix(1);
  }
  return text;
}

bool is_digit(char character) {
  return character >= '0' && character <= '9';
}

bool is_hex(char character) {
  return is_digit(character) || (character >= 'a' && character <= 'f') ||
         (character >= 'A' && character <= 'F');
}

// Takes one or more digits off the front.
bool take_digits(std::string_view& text) {
  std::size_t count = 0;
  while (count < text.size() && is_digit(text[count])) {
    ++count;
  }
  text.remove_prefix(count);
  return count != 0;
}

// RFC 8259 §6.
bool valid_number(std::string_view text) {
  if (!text.empty() && text.front() == '-') {
    text.remove_prefix(1);
  }
  if (!text.empty() && text.front() == '0') {
    text.remove_prefix(1);
  } else if (!take_digits(text)) {
    return false;
  }
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    if (!take_digits(text)) {
      return false;
    }
  }
  if (!text.empty() && (text.front() == 'e' || text.front() == 'E')) {
    text.remove_prefix(1);
    if (!text.empty() && (text.front() == '+' || text.front() == '-')) {
      text.remove_prefix(1);
    }
    if (!take_digits(text)) {
      return false;
    }
  }
  return text.empty();
}

// Of what is between a string's quotes. simdjson's index has already found these, control
// characters and bad UTF-8; the escapes are left (RFC 8259 §7).
bool valid_escapes(std::string_view content) {
  const char* at = content.data();
  const char* const end = at + content.size();
  while (at < end) {
    at = static_cast<const char*>(std::memchr(at, '\\', static_cast<std::size_t>(end - at)));
    if (at == nullptr) {
      return true;
    }
    if (end - at < 2) {
      return false;
    }
    const char escape = at[1];
    at += 2;
    if (escape == 'u') {
      if (end - at < 4 || !is_hex(at[0]) || !is_hex(at[1]) || !is_hex(at[2]) || !is_hex(at[3])) {
        return false;
      }
      at += 4;
    } else if (std::memchr("\"\\/bfnrt", escape, 8) == nullptr) {
      return false;
    }
  }
  return at == end;
}

bool valid_string(std::string_view text) {
  return text.size() >= 2 && text.front() == '"' && text.back() == '"' &&
         valid_escapes(text.substr(1, text.size() - 2));
}

bool valid_scalar(std::string_view token) {
  const std::string_view text = trimmed(token);
  if (text.empty()) {
    return false;
  }
  switch (text.front()) {
    case '"':
      return valid_string(text);
    case 't':
      return text == "true";
    case 'f':
      return text == "false";
    case 'n':
      return text == "null";
    default:
      return valid_number(text);
  }
}

// Between its quotes. That there is one behind it simdjson's index has found.
std::string_view content_of(JsonText::RawName name) {
  const char* end = name.raw();
  while (*end != '"') {
    end += *end == '\\' ? 2 : 1;
  }
  return {name.raw(), static_cast<std::size_t>(end - name.raw())};
}

bool valid_value(JsonText::Value value, int depth);

// simdjson's own reading of a name would refuse half a surrogate pair, which RFC 8259 §8.2 lets be.
bool valid_object(JsonText::Object object, int depth) {
  for (auto field : object) {
    JsonText::RawName name;
    JsonText::Value value;
    if (field.key().get(name) || !valid_escapes(content_of(name)) || field.value().get(value) ||
        !valid_value(value, depth)) {
      return false;
    }
  }
  return true;
}

bool valid_array(JsonText::Array array, int depth) {
  for (auto element : array) {
    JsonText::Value value;
    if (element.get(value) || !valid_value(value, depth)) {
      return false;
    }
  }
  return true;
}

bool valid_value(JsonText::Value value, int depth) {
  if (depth >= JsonText::kMaximumDepth) {
    return false;
  }
  simdjson::ondemand::json_type type;
  if (value.type().get(type)) {
    return false;
  }
  if (type == simdjson::ondemand::json_type::object) {
    JsonText::Object object;
    return !value.get_object().get(object) && valid_object(object, depth + 1);
  }
  if (type == simdjson::ondemand::json_type::array) {
    JsonText::Array array;
    return !value.get_array().get(array) && valid_array(array, depth + 1);
  }
  if (!valid_scalar(value.raw_json_token())) {
    return false;
  }
  // A string that is not taken is skipped, and skipping takes one before a ':' for a member's name,
  // even in an array.
  simdjson::ondemand::raw_json_string taken;
  return type != simdjson::ondemand::json_type::string || !value.get_raw_json_string().get(taken);
}

}  // namespace

static_assert(kBodySlack >= simdjson::SIMDJSON_PADDING);

void JsonText::pad(std::string& text) {
  const std::size_t wanted = text.size() + simdjson::SIMDJSON_PADDING;
  if (text.capacity() >= wanted) {
    return;
  }
  // reserve() on a string that holds something doubles it; a new one gets what it asks for.
  std::string padded;
  padded.reserve(wanted);
  padded = text;
  text = std::move(padded);
}

bool JsonText::parse(std::string_view text, int around) {
  copy_.clear();
  copy_.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  copy_.append(text);
  return parse_padded(copy_, around);
}

bool JsonText::parse_padded(const std::string& text) {
  return parse_padded(text, 0);
}

bool JsonText::parse_padded(const std::string& text, int around) {
  usable_ = false;
  const std::string_view content = trimmed(text);
  if (content.empty()) {
    return false;
  }
  if (content.front() != '{' && content.front() != '[') {
    return parse_scalar(content, around);
  }
  return parse_buffer(text.data(), text.size(), text.capacity(), around);
}

// On-Demand treats a single value at the top as a special case throughout; inside an array it is
// none.
bool JsonText::parse_scalar(std::string_view text, int around) {
  std::string wrapped;
  wrapped.reserve(text.size() + 2 + simdjson::SIMDJSON_PADDING);
  wrapped += '[';
  wrapped += text;
  wrapped += ']';
  std::size_t elements = 0;
  // The wrapper takes a level, which the value has not.
  if (parse_buffer(wrapped.data(), wrapped.size(), wrapped.capacity(), around - 1)) {
    if (const std::optional<Array> wrapper = array()) {
      each_element(*wrapper, [&](Value) { ++elements; });
    }
  }
  usable_ = false;
  return elements == 1;
}

bool JsonText::parse_buffer(const char* text, std::size_t size, std::size_t allocated, int around) {
  if (parser_.iterate(text, size, allocated).get(document_)) {
    return false;
  }
  Value root;
  if (document_.get_value().get(root) || !valid_value(root, around)) {
    return false;
  }
  // Something behind the value that is not white space.
  if (!document_.current_location().error()) {
    return false;
  }
  usable_ = true;
  return true;
}

std::optional<JsonText::Object> JsonText::object() {
  if (!usable_) {
    return std::nullopt;
  }
  document_.rewind();
  Object object;
  if (document_.get_object().get(object)) {
    return std::nullopt;
  }
  return object;
}

std::optional<JsonText::Array> JsonText::array() {
  if (!usable_) {
    return std::nullopt;
  }
  document_.rewind();
  Array array;
  if (document_.get_array().get(array)) {
    return std::nullopt;
  }
  return array;
}

void JsonText::trim() {
  usable_ = false;
  if (parser_.capacity() > kKeptCapacity) {
    document_ = {};
    parser_ = simdjson::ondemand::parser();
  }
  if (copy_.capacity() > kKeptCapacity) {
    copy_ = std::string();
  }
}

std::string json_name(JsonText::RawName raw) {
  const std::string_view content = content_of(raw);
  std::string name;
  for (std::size_t at = 0; at < content.size();) {
    const bool escaped = content[at] == '\\';
    const std::size_t length = escaped ? storage::undo_json_escape(content, at, name) : 0;
    if (length == 0) {
      name += content[at];
    }
    at += std::max<std::size_t>(length, 1);
  }
  return name;
}

std::string_view json_raw(JsonText::Value value) {
  simdjson::ondemand::json_type type;
  if (value.type().get(type)) {
    return {};
  }
  std::string_view raw;
  if (type == simdjson::ondemand::json_type::object) {
    JsonText::Object object;
    if (value.get_object().get(object) || object.raw_json().get(raw)) {
      return {};
    }
    return trimmed(raw);
  }
  if (type == simdjson::ondemand::json_type::array) {
    JsonText::Array array;
    if (value.get_array().get(array) || array.raw_json().get(raw)) {
      return {};
    }
    return trimmed(raw);
  }
  return trimmed(value.raw_json_token());
}

std::optional<std::string_view> json_string(JsonText::Value value) {
  std::string_view text;
  if (value.get_string().get(text)) {
    return std::nullopt;
  }
  return text;
}

std::optional<std::int64_t> json_count(JsonText::Value value) {
  std::int64_t number = 0;
  if (value.get_int64().get(number) || number < 0) {
    return std::nullopt;
  }
  return number;
}

std::optional<JsonText::Object> json_object(JsonText::Value value) {
  JsonText::Object object;
  if (value.get_object().get(object)) {
    return std::nullopt;
  }
  return object;
}

std::optional<JsonText::Array> json_array(JsonText::Value value) {
  JsonText::Array array;
  if (value.get_array().get(array)) {
    return std::nullopt;
  }
  return array;
}

std::string compact_json(std::string_view json) {
  std::string compact(json.size() + simdjson::SIMDJSON_PADDING, ' ');
  std::size_t length = 0;
  if (simdjson::minify(json.data(), json.size(), compact.data(), length)) {
    return "";
  }
  compact.resize(length);
  return compact;
}

}  // namespace invlog::bedrock
