// ASCII letters made small, whatever the locale: names of hosts, headers, types and keys, in which
// the case does not count.
//
// Thread: any; pure functions. Errors: none.
#pragma once

#include <string>
#include <string_view>

namespace invlog::storage {

constexpr char lower_case(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

inline std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& letter : lower) {
    letter = lower_case(letter);
  }
  return lower;
}

}  // namespace invlog::storage
