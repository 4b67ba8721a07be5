#include "storage/json_writer.h"

#include <simdjson.h>

#include <array>
#include <cstddef>

namespace invlog::storage {
namespace {

// Bytes that JSON does not take as they are within a string.
constexpr std::array<bool, 256> make_needs_escape() {
  std::array<bool, 256> needs{};
  for (int byte = 0; byte < 0x20; ++byte) {
    needs[static_cast<std::size_t>(byte)] = true;
  }
  needs['"'] = true;
  needs['\\'] = true;
  return needs;
}
constexpr std::array<bool, 256> kNeedsEscape = make_needs_escape();

void append_escape(std::string& out, unsigned char byte) {
  switch (byte) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    default:
      constexpr char kHex[] = "0123456789abcdef";
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
  }
}

// Length of the valid UTF-8 sequence at the start of `text` (RFC 3629), 0 if there is none.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char lead = byte(0);
  std::size_t length = 0;
  if (lead < 0x80) {
    return 1;
  }
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if ((lead & 0xF0) == 0xE0) {
    length = 3;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
  } else {
    return 0;
  }
  if (text.size() < length) {
    return 0;
  }
  const unsigned char lowest = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char highest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < lowest || byte(1) > highest) {
    return 0;
  }
  for (std::size_t at = 2; at < length; ++at) {
    if ((byte(at) & 0xC0) != 0x80) {
      return 0;
    }
  }
  return length;
}

void append_valid(std::string& out, std::string_view text) {
  std::size_t copied = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (kNeedsEscape[byte]) {
      out.append(text, copied, at - copied);
      append_escape(out, byte);
      copied = at + 1;
    }
  }
  out.append(text, copied);
}

}  // namespace

void append_json_escaped(std::string& out, std::string_view text) {
  if (simdjson::validate_utf8(text.data(), text.size())) {
    append_valid(out, text);
    return;
  }
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      text.remove_prefix(1);
      continue;
    }
    append_valid(out, text.substr(0, length));
    text.remove_prefix(length);
  }
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  append_json_escaped(out, text);
  out += '"';
}

void append_json_name(std::string& out, std::string_view name) {
  if (!out.empty() && out.back() != '{') {
    out += ',';
  }
  out += '"';
  out += name;
  out += "\":";
}

void append_json_member(std::string& out, std::string_view name, std::string_view text) {
  append_json_name(out, name);
  append_json_string(out, text);
}

void append_json_number(std::string& out, std::string_view name, long long number) {
  append_json_name(out, name);
  out += std::to_string(number);
}

void append_json_raw(std::string& out, std::string_view name, std::string_view json) {
  append_json_name(out, name);
  out += json;
}

}  // namespace invlog::storage
