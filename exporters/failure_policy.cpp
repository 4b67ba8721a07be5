#include "exporters/failure_policy.h"

#include <algorithm>
#include <utility>

namespace invlog::exporters {
namespace {

// prove() makes a missing log group or stream; where it is gone so often, something else takes it
// away.
constexpr int kMostRecreations = 5;

}  // namespace

FailurePolicy::FailurePolicy(BackoffOptions options, std::function<double()> random)
    : longest_(options.longest),
      longest_retry_after_(options.longest_retry_after),
      backoff_(options, std::move(random)) {}

FailurePolicy::Decision FailurePolicy::after(const aws::ServiceFailure& failure, bool proving) {
  using aws::FailureKind;
  Decision decision;
  switch (failure.kind) {
    case FailureKind::redirected:
      decision = after_refusal(failure.retry_after);
      decision.prove_again = true;
      decision.quiet = std::chrono::hours(1);
      return decision;
    case FailureKind::denied:
      decision = after_refusal(failure.retry_after);
      decision.prove_again = true;
      return decision;
    case FailureKind::rejected:
      return after_refusal(failure.retry_after);
    case FailureKind::not_found:
      decision.pause = backoff_.next(false, failure.retry_after);
      decision.prove_again = true;
      decision.passes_by_itself = !proving && backoff_.attempts() <= kMostRecreations;
      return decision;
    case FailureKind::credentials:
      decision.pause = backoff_.next(false, failure.retry_after);
      decision.passes_by_itself = false;
      return decision;
    case FailureKind::throttled:
      decision.pause = backoff_.next(true, failure.retry_after);
      return decision;
    case FailureKind::transient:
    case FailureKind::clock:
    case FailureKind::conflict:
    case FailureKind::cancelled:
      break;
  }
  decision.pause = backoff_.next(false, failure.retry_after);
  return decision;
}

FailurePolicy::Decision FailurePolicy::after_refusal(
    std::optional<std::chrono::milliseconds> retry_after) const {
  Decision decision;
  decision.pause =
      std::max(longest_, std::min(retry_after.value_or(longest_), longest_retry_after_));
  decision.passes_by_itself = false;
  return decision;
}

std::chrono::milliseconds FailurePolicy::succeeded(
    const std::optional<aws::ServiceFailure>& throttled) {
  backoff_.reset();
  return throttled ? after(*throttled, false).pause : std::chrono::milliseconds(0);
}

FailurePolicy::Decision FailurePolicy::after_fault() {
  Decision decision;
  decision.pause = backoff_.next(false);
  return decision;
}

}  // namespace invlog::exporters
