// The version that `invlog --version`, records and logs show.
#pragma once

namespace invlog {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace invlog
