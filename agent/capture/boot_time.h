// Time since the host was started, also while it slept. steady_clock stands still in a suspend
// (CLOCK_MONOTONIC), which servers, NAT gateways and load balancers do not: what was kept over it
// is old.
//
// Thread: any; a pure function but for the clock. Errors: none.
#pragma once

#include <chrono>
#include <ctime>

namespace invlog::capture {

inline std::chrono::nanoseconds time_since_boot() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace invlog::capture
