// Time in the delivery model: the services', which is the true one, and this host's, which may be
// wrong. Only waiting and slow answers move it.
#pragma once

#include <chrono>
#include <cstdint>

namespace invlog::exporters {

// Now, where the model's clock starts; Unix µs.
constexpr std::int64_t kModelNow = 1'790'000'000'000'000;

struct ModelTime {
  std::int64_t service_us = kModelNow;
  std::int64_t host_ahead_us = 0;

  std::int64_t host_us() const { return service_us + host_ahead_us; }
  static std::chrono::system_clock::time_point point(std::int64_t microseconds) {
    return std::chrono::system_clock::time_point(std::chrono::microseconds(microseconds));
  }
};

}  // namespace invlog::exporters
