#include "agent/bedrock/omission.h"

#include <optional>

#include "exporters/aws/sigv4.h"
#include "storage/base64.h"

namespace invlog::bedrock {
namespace {

constexpr std::size_t kLongestType = 100;

bool may_stand_in_type(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') ||
         std::string_view("/+.-_").find(byte) != std::string_view::npos;
}

}  // namespace

std::string omission(std::string_view type, std::string_view bytes) {
  std::string text = "[omitted ";
  for (const char byte : type.substr(0, std::min(type.find(';'), kLongestType))) {
    if (may_stand_in_type(byte)) {
      text += byte;
    }
  }
  text += " " + std::to_string(bytes.size()) + " bytes sha256:" + aws::sha256_hex(bytes) + "]";
  return text;
}

std::string omission_of_encoded(std::string_view type, std::string_view text) {
  std::string_view encoded = text;
  if (encoded.starts_with("data:")) {
    constexpr std::string_view kMark = ";base64,";
    const std::size_t mark = encoded.substr(0, 256).find(kMark);
    if (mark == std::string_view::npos) {
      return omission(type, text);
    }
    type = mark > 5 ? encoded.substr(5, mark - 5) : type;
    encoded.remove_prefix(mark + kMark.size());
  }
  const std::optional<std::string> decoded = storage::base64_decode(encoded);
  return omission(type, decoded && !decoded->empty() ? *decoded : std::string_view(text));
}

}  // namespace invlog::bedrock
