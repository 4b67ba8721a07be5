// Texts one behind the other, for people and for lists in a column.
//
// Thread: any; a pure function. Errors: none.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace invlog::storage {

inline std::string joined(const std::vector<std::string>& texts, std::string_view separator) {
  std::string all;
  for (const std::string& text : texts) {
    all.append(all.empty() ? "" : separator).append(text);
  }
  return all;
}

}  // namespace invlog::storage
