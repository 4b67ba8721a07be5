// Times as text. Pure functions; any thread; never throw.
#pragma once

#include <cstdint>
#include <string>

namespace invlog::storage {

// 2026-10-05T14:03:59Z from Unix µs; what is below a second is cut off, as in AWS's records.
std::string iso_seconds(std::int64_t unix_us);
// Days since 1970-01-01 UTC.
std::int64_t utc_day(std::int64_t unix_us);
// Now, Unix µs.
std::int64_t system_now_us();
// Since the host was started, µs, also while it slept; nobody sets it.
std::int64_t since_boot_us();

}  // namespace invlog::storage
