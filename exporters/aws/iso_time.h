// Times as AWS writes them in credentials: ISO 8601, "2026-10-05T14:03:59Z", with or without a
// fraction of a second, with 'Z' or an offset. Pure functions; any thread; never throw but for lack
// of memory.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace invlog::aws {

// Nothing for anything else. What is below a second is cut off.
std::optional<std::chrono::system_clock::time_point> parse_iso_time(std::string_view text);
// "2026-10-05T14:03:59Z"
std::string iso_time(std::chrono::system_clock::time_point time);

}  // namespace invlog::aws
