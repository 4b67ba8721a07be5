#include "agent/residency/markup.h"

#include "agent/cli/display_text.h"

namespace invlog::residency {

std::string escaped_markup(std::string_view text) {
  std::string escaped;
  for (const char character : cli::printable(text)) {
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
