#include "exporters/aws/message_text.h"

#include <algorithm>

namespace invlog::aws {

std::string one_line(std::string_view text, std::size_t longest) {
  std::string line;
  bool space_due = false;
  for (const char character : text) {
    if (line.size() > longest) {
      break;
    }
    // char has a sign on x86-64 and none on ARM.
    const auto byte = static_cast<unsigned char>(character);
    if (byte <= ' ' || byte == 0x7f) {
      space_due = !line.empty();
      continue;
    }
    if (space_due) {
      line += ' ';
      space_due = false;
    }
    line += byte < 0x80 ? character : '?';
  }
  if (line.size() > longest) {
    constexpr std::string_view kCut = "...";
    line.resize(longest > kCut.size() ? longest - kCut.size() : 0);
    line += kCut.substr(0, longest);
  }
  return line;
}

void hide_secret(std::string& text, std::string_view secret) {
  // Shorter ones are no secrets, and would tear words apart.
  constexpr std::size_t kShortest = 8;
  constexpr std::string_view kHidden = "[hidden]";
  if (secret.size() < kShortest) {
    return;
  }
  const std::string_view beginning = secret.substr(0, kShortest);
  for (std::size_t at = text.find(beginning); at != std::string::npos;
       at = text.find(beginning, at + kHidden.size())) {
    const std::string_view rest = std::string_view(text).substr(at);
    const auto same = std::mismatch(rest.begin(), rest.end(), secret.begin(), secret.end()).first;
    text.replace(at, static_cast<std::size_t>(same - rest.begin()), kHidden);
  }
}

}  // namespace invlog::aws
