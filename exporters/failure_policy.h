// What follows from a failed attempt: how long to wait, and whether the target is to be proven
// again before anything more goes there.
//
// Pure but for the random source; any one thread. Errors: none.
#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "exporters/aws/service_failure.h"
#include "exporters/backoff.h"

namespace invlog::exporters {

class FailurePolicy {
 public:
  struct Decision {
    std::chrono::milliseconds pause{0};
    bool prove_again = false;
    // Without anybody doing anything; else `invlog ship --once` has no reason to wait.
    bool passes_by_itself = true;
    // How long the log does not repeat it.
    std::chrono::milliseconds quiet = std::chrono::minutes(1);
  };

  // `random`: [0, 1).
  FailurePolicy(BackoffOptions options, std::function<double()> random);

  // `proving`: the failure is prove()'s, not a batch's.
  Decision after(const aws::ServiceFailure& failure, bool proving);
  // The configuration is at fault, or so it seems: a person's time, not a network's.
  // `retry_after`: as the service asked.
  Decision after_refusal(std::optional<std::chrono::milliseconds> retry_after) const;
  // A fault of our own.
  Decision after_fault();
  // The pause before the next batch. `throttled`: as Sent has it.
  std::chrono::milliseconds succeeded(const std::optional<aws::ServiceFailure>& throttled);

 private:
  const std::chrono::milliseconds longest_, longest_retry_after_;
  Backoff backoff_;
};

}  // namespace invlog::exporters
