// Lists of keys, files and problems in the JSON that we write.
//
// Pure; any thread. Errors: none.
#pragma once

#include <string>
#include <vector>

#include "storage/json_writer.h"

namespace invlog::config {

// An array of strings.
inline std::string json_strings(const std::vector<std::string>& texts) {
  std::string array = "[";
  for (const std::string& text : texts) {
    array += array.size() > 1 ? "," : "";
    storage::append_json_string(array, text);
  }
  return array + "]";
}

}  // namespace invlog::config
