// What follows from a failed attempt: how long to wait, and whether the target is to be proven
// again before anything more goes there.
//
// Pure but for the random source; any one thread. Errors: none.
#pragma once

#include <chrono>
#include <functional>

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
  Decision after_refusal() const;
  // A fault of our own.
  Decision after_fault();
  void succeeded() { backoff_.reset(); }

 private:
  const std::chrono::milliseconds longest_;
  Backoff backoff_;
};

}  // namespace invlog::exporters
