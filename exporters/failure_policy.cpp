#include "exporters/failure_policy.h"

#include <utility>

namespace invlog::exporters {
namespace {

// prove() makes a missing log group or stream; where it is gone so often, something else takes it
// away.
constexpr int kMostRecreations = 5;

}  // namespace

FailurePolicy::FailurePolicy(BackoffOptions options, std::function<double()> random)
    : longest_(options.longest), backoff_(options, std::move(random)) {}

FailurePolicy::Decision FailurePolicy::after(const aws::ServiceFailure& failure, bool proving) {
  using aws::FailureKind;
  Decision decision;
  switch (failure.kind) {
    case FailureKind::redirected:
      decision = after_refusal();
      decision.prove_again = true;
      decision.quiet = std::chrono::hours(1);
      return decision;
    case FailureKind::denied:
      decision = after_refusal();
      decision.prove_again = true;
      return decision;
    case FailureKind::rejected:
      return after_refusal();
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

FailurePolicy::Decision FailurePolicy::after_refusal() const {
  Decision decision;
  decision.pause = longest_;
  decision.passes_by_itself = false;
  return decision;
}

FailurePolicy::Decision FailurePolicy::after_fault() {
  Decision decision;
  decision.pause = backoff_.next(false);
  return decision;
}

}  // namespace invlog::exporters
