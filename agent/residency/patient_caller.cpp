#include "agent/residency/patient_caller.h"

#include <utility>

namespace invlog::residency {

using std::chrono::milliseconds;

PatientCaller::PatientCaller(CallTimes times, milliseconds least_interval)
    : times_(std::move(times)), least_interval_(least_interval) {}

void PatientCaller::wait_turn() {
  if (last_) {
    const auto passed = std::chrono::duration_cast<milliseconds>(times_.now() - *last_);
    if (passed < least_interval_) {
      times_.sleep(least_interval_ - passed);
    }
  }
  last_ = times_.now();
}

aws::ServiceResult PatientCaller::call(const std::function<aws::ServiceResult()>& attempt) {
  exporters::Backoff backoff({}, times_.random);
  for (int attempts = 1;; ++attempts) {
    wait_turn();
    aws::ServiceResult result = attempt();
    const bool throttled = !result && result.error().kind == aws::FailureKind::throttled;
    const bool again = throttled || (!result && result.error().kind == aws::FailureKind::transient);
    if (!again || attempts == kMostAttempts || times_.stopped()) {
      return result;
    }
    times_.sleep(backoff.next(throttled, result.error().retry_after));
  }
}

}  // namespace invlog::residency
