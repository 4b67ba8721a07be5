// Catch2, whichever of 2.13 (Debian 12) and 3.x (Debian 13) is installed.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#define INVLOG_CATCH_CONTAINS Catch::Matchers::ContainsSubstring
#else
#include <catch2/catch.hpp>
#define INVLOG_CATCH_CONTAINS Catch::Matchers::Contains
#endif
#include <string>

// For CHECK_THAT: a text that has `part` in it.
inline auto contains_text(const std::string& part) {
  return INVLOG_CATCH_CONTAINS(part);
}
