#include "agent/residency/profile_id.h"

#include <algorithm>
#include <iterator>

namespace invlog::residency {
namespace {

constexpr std::size_t kLongestId = 64;

bool is_letter(char byte) {
  return byte >= 'a' && byte <= 'z';
}

bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

bool is_vendor(std::string_view text) {
  return !text.empty() && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [](char byte) { return is_letter(byte) || is_digit(byte); });
}

}  // namespace

bool looks_like_system_profile(std::string_view id) {
  const std::string_view prefix = prefix_of(id);
  if (prefix.empty()) {
    return false;
  }
  if (std::find(std::begin(kProfilePrefixes), std::end(kProfilePrefixes), prefix) !=
      std::end(kProfilePrefixes)) {
    return true;
  }
  const std::string_view model = model_of(id);
  const std::string_view name = model_of(model);
  return is_vendor(prefix_of(model)) && !name.empty() && is_letter(name.front());
}

bool is_profile_id(std::string_view id) {
  return !id.empty() && id.size() <= kLongestId && std::all_of(id.begin(), id.end(), [](char byte) {
    return is_letter(byte) || is_digit(byte) || (byte >= 'A' && byte <= 'Z') || byte == '-' ||
           byte == ':' || byte == '.';
  });
}

std::string_view prefix_of(std::string_view id) {
  const std::size_t dot = id.find('.');
  return dot == std::string_view::npos ? std::string_view{} : id.substr(0, dot);
}

std::string_view model_of(std::string_view id) {
  const std::size_t dot = id.find('.');
  return dot == std::string_view::npos ? std::string_view{} : id.substr(dot + 1);
}

}  // namespace invlog::residency
