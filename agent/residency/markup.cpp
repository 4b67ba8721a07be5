#include "agent/residency/markup.h"

#include <array>
#include <cstdio>

#include "agent/cli/display_text.h"

namespace invlog::residency {

std::string visible_line(std::string_view text) {
  std::string line = cli::printable(text);
  for (const char* control : {"\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067",
                              "\u2068", "\u2069", "\u200e", "\u200f"}) {
    const std::string_view bytes = control;
    for (std::size_t at = line.find(bytes); at != std::string::npos; at = line.find(bytes, at)) {
      const int code = 0x2000 + ((bytes[1] & 0x3f) << 6) + (bytes[2] & 0x3f);
      std::array<char, 8> shown{};
      std::snprintf(shown.data(), shown.size(), "\\u%04x", static_cast<unsigned>(code) & 0xffff);
      line.replace(at, bytes.size(), shown.data());
    }
  }
  return line;
}

std::string escaped_markup(std::string_view text) {
  std::string escaped;
  for (const char character : visible_line(text)) {
    switch (character) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += character;
    }
  }
  return escaped;
}

}  // namespace invlog::residency
