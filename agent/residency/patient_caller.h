// Calls of AWS one after the other: at a pace, and made again while a failure passes by itself, up
// to kMostAttempts times.
//
// Threads: one. Errors: the last attempt's.
#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "exporters/aws/service_client.h"
#include "exporters/backoff.h"

namespace invlog::residency {

// What makes time pass, which tests replace.
struct CallTimes {
  std::function<std::chrono::steady_clock::time_point()> now;
  std::function<void(std::chrono::milliseconds)> sleep;
  std::function<double()> random;  // [0, 1)
  std::function<bool()> stopped;   // nobody waits for it any longer
};

class PatientCaller {
 public:
  static constexpr int kMostAttempts = 10;

  // `least_interval`: between the beginnings of two calls.
  PatientCaller(CallTimes times, std::chrono::milliseconds least_interval);

  aws::ServiceResult call(const std::function<aws::ServiceResult()>& attempt);

 private:
  void wait_turn();

  const CallTimes times_;
  const std::chrono::milliseconds least_interval_;
  std::optional<std::chrono::steady_clock::time_point> last_;
};

}  // namespace invlog::residency
