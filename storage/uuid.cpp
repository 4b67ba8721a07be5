#include "storage/uuid.h"

namespace invlog::storage {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

bool is_hyphen_position(std::size_t position) {
  return position == 8 || position == 13 || position == 18 || position == 23;
}

}  // namespace

std::optional<std::string> uuid_bytes(std::string_view text) {
  if (text.size() != 36) {
    return std::nullopt;
  }
  std::string bytes;
  bytes.reserve(16);
  int high = -1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_hyphen_position(i)) {
      if (text[i] != '-') {
        return std::nullopt;
      }
      continue;
    }
    const std::size_t digit = kDigits.find(text[i]);
    if (digit == std::string_view::npos) {
      return std::nullopt;
    }
    if (high < 0) {
      high = static_cast<int>(digit);
    } else {
      bytes.push_back(static_cast<char>(high * 16 + static_cast<int>(digit)));
      high = -1;
    }
  }
  return bytes;
}

std::string uuid_text(std::string_view bytes) {
  std::string text;
  text.reserve(36);
  for (const char character : bytes) {
    const auto byte = static_cast<unsigned char>(character);
    if (is_hyphen_position(text.size())) {
      text.push_back('-');
    }
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

}  // namespace invlog::storage
