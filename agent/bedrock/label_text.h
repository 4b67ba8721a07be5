// Texts that become labels of the store (storage/FORMAT.md) and were chosen by a caller or a
// service: made short, and safe to print.
//
// Why: a store keeps a label for good, and anything that reads it shows it as it is, `sqlite3` in a
// terminal among them.
//
// Thread: any; pure functions. Errors: none.
#pragma once

#include <simdjson.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "storage/label_table.h"

namespace invlog::bedrock {

// Whether it is UTF-8 without control characters (C0, DEL, C1).
inline bool is_printable_text(std::string_view text) {
  const auto is_control = [](char character) {
    return static_cast<unsigned char>(character) < 0x20 || character == 0x7F;
  };
  if (std::any_of(text.begin(), text.end(), is_control) ||
      !simdjson::validate_utf8(text.data(), text.size())) {
    return false;
  }
  for (std::size_t at = text.find('\xC2'); at != std::string_view::npos;
       at = text.find('\xC2', at + 1)) {
    if (static_cast<unsigned char>(text[at + 1]) < 0xA0) {
      return false;
    }
  }
  return true;
}

// With each byte that is no printable ASCII as %XX.
inline std::string percent_encoded(std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte >= 0x20 && byte < 0x7F) {
      out += character;
    } else {
      (out += '%') += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return out;
}

// The first `most` bytes: as they are if they are plain, else percent-encoded.
inline std::string label_text(std::string_view text, std::size_t most) {
  text = storage::cut_label(text, most);
  return is_printable_text(text) ? std::string(text) : percent_encoded(text);
}

}  // namespace invlog::bedrock
