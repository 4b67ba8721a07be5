#include "storage/json_escapes.h"

namespace invlog::storage {
namespace {

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') {
    return digit - '0';
  }
  const char lower = static_cast<char>(digit | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The four digits of \uXXXX at `at`, or -1.
int read_unit(std::string_view raw, std::size_t at) {
  if (at + 6 > raw.size() || raw[at] != '\\' || raw[at + 1] != 'u') {
    return -1;
  }
  int unit = 0;
  for (std::size_t digit = at + 2; digit < at + 6; ++digit) {
    const int value = hex_value(raw[digit]);
    if (value < 0) {
      return -1;
    }
    unit = unit * 16 + value;
  }
  return unit;
}

void append_utf8(std::string& out, unsigned code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

}  // namespace

void replace_lone_surrogates(std::string& json, std::size_t from) {
  std::size_t at = from;
  while ((at = json.find('\\', at)) != std::string::npos) {
    const int unit = read_unit(json, at);
    if (unit < 0xD800 || unit >= 0xE000) {
      at += 2;  // what follows \u is no backslash
      continue;
    }
    const int second = unit < 0xDC00 ? read_unit(json, at + 6) : -1;
    if (second >= 0xDC00 && second < 0xE000) {
      at += 12;
    } else {
      json.replace(at + 2, 4, "fffd");
      at += 6;
    }
  }
}

std::size_t undo_json_escape(std::string_view raw, std::size_t at, std::string& out) {
  const int unit = read_unit(raw, at);
  if (unit >= 0) {
    const int second = unit >= 0xD800 && unit < 0xDC00 ? read_unit(raw, at + 6) : -1;
    if (second >= 0xDC00 && second < 0xE000) {
      append_utf8(out, static_cast<unsigned>(0x10000 + ((unit - 0xD800) << 10) + second - 0xDC00));
      return 12;
    }
    append_utf8(out, static_cast<unsigned>(unit));
    return 6;
  }
  constexpr std::string_view kLetters = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
  const std::size_t found =
      at + 1 < raw.size() ? kLetters.find(raw[at + 1]) : std::string_view::npos;
  if (found == std::string_view::npos) {
    return 0;
  }
  out += kMeanings[found];
  return 2;
}

}  // namespace invlog::storage
