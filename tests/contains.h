// Whether a text has a part in it; a failing check shows the whole text.
#pragma once

#include <string>

#include "tests/catch.h"

namespace invlog::tests {

inline bool contains(const std::string& text, const std::string& part) {
  UNSCOPED_INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace invlog::tests
