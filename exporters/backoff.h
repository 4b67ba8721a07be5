// How long to wait before the next attempt: exponential with full jitter, so that a fleet does not
// come back all at once. The n-th wait (from 1) is drawn from [base/4, base * 2^n], at most
// `longest`; throttling starts from a longer base and stays slow for as long as it lasts. What the
// service asked for (Retry-After) is a floor, itself capped.
//
// Pure but for the random source, which comes in; any one thread. Never throws.
#pragma once

#include <chrono>
#include <functional>
#include <optional>

namespace invlog::exporters {

struct BackoffOptions {
  std::chrono::milliseconds base{200};
  std::chrono::milliseconds throttled_base{1000};
  std::chrono::milliseconds longest{60000};
  std::chrono::milliseconds longest_retry_after{300000};
};

class Backoff {
 public:
  // `random` gives numbers in [0, 1).
  Backoff(BackoffOptions options, std::function<double()> random);

  // The wait before the next attempt, at least 1 ms.
  std::chrono::milliseconds next(bool throttled,
                                 std::optional<std::chrono::milliseconds> retry_after = {});
  void reset() { attempts_ = 0; }
  int attempts() const { return attempts_; }

 private:
  const BackoffOptions options_;
  const std::function<double()> random_;
  int attempts_ = 0;
};

}  // namespace invlog::exporters
