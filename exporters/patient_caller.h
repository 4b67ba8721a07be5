// Calls of AWS one after the other: at a pace, and made again while a failure passes by itself, a
// few times.
//
// Threads: one. Errors: the last attempt's.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <type_traits>

#include "exporters/aws/service_failure.h"
#include "exporters/backoff.h"

namespace invlog::exporters {

// What makes time pass, which tests replace.
struct CallTimes {
  std::function<std::chrono::steady_clock::time_point()> now;  // only for a pace
  // Waits before another attempt; false: give up now. Empty: no other attempts.
  std::function<bool(std::chrono::milliseconds)> wait;
  std::function<double()> random;  // [0, 1)
  // Hears of what is waited for before each wait; may be empty.
  std::function<void(const aws::ServiceFailure& failure)> told = {};
};

// The system's. `cancelled`, which may be null: once true, nobody waits any longer.
CallTimes system_call_times(const std::atomic<bool>* cancelled);

class PatientCaller {
 public:
  static constexpr int kMostAttempts = 10;

  // `least_interval`: between the beginnings of two calls. `most_attempts`: at each of them.
  PatientCaller(CallTimes times, std::chrono::milliseconds least_interval,
                int most_attempts = kMostAttempts);

  // `attempt` gives a tl::expected with an aws::ServiceFailure.
  template <typename Attempt>
  std::invoke_result_t<const Attempt&> call(const Attempt& attempt) {
    Backoff backoff({}, times_.random);
    while (true) {
      wait_turn();
      auto result = attempt();
      if (result || !wait_after(result.error(), backoff)) {
        return result;
      }
    }
  }

 private:
  void wait_turn();
  // False: there is no other attempt.
  bool wait_after(const aws::ServiceFailure& failure, Backoff& backoff) const;

  const CallTimes times_;
  const std::chrono::milliseconds least_interval_;
  const int most_attempts_;
  std::optional<std::chrono::steady_clock::time_point> last_;
};

}  // namespace invlog::exporters
