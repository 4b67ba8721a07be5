#include "exporters/patient_caller.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "exporters/aws/chain_options.h"

namespace invlog::exporters {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

CallTimes system_call_times(const std::atomic<bool>* cancelled) {
  constexpr milliseconds kLongestNap{100};
  CallTimes times;
  times.now = steady_clock::now;
  times.wait = [cancelled, kLongestNap](milliseconds pause) {
    const auto is_cancelled = [cancelled] { return cancelled != nullptr && cancelled->load(); };
    const auto end = steady_clock::now() + pause;
    while (!is_cancelled() && steady_clock::now() < end) {
      std::this_thread::sleep_for(std::min(pause, kLongestNap));
    }
    return !is_cancelled();
  };
  times.random = aws::random_fraction;
  return times;
}

PatientCaller::PatientCaller(CallTimes times, milliseconds least_interval, int most_attempts)
    : times_(std::move(times)), least_interval_(least_interval), most_attempts_(most_attempts) {}

void PatientCaller::wait_turn() {
  if (least_interval_ == milliseconds(0)) {
    return;
  }
  if (last_) {
    const auto passed = std::chrono::duration_cast<milliseconds>(times_.now() - *last_);
    if (passed < least_interval_) {
      times_.wait(least_interval_ - passed);
    }
  }
  last_ = times_.now();
}

bool PatientCaller::wait_after(const aws::ServiceFailure& failure, Backoff& backoff) const {
  if (!aws::passes_by_itself(failure.kind) || !times_.wait ||
      backoff.attempts() + 1 >= most_attempts_) {
    return false;
  }
  if (times_.told) {
    times_.told(failure);
  }
  return times_.wait(
      backoff.next(failure.kind == aws::FailureKind::throttled, failure.retry_after));
}

}  // namespace invlog::exporters
