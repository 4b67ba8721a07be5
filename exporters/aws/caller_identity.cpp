#include "exporters/aws/caller_identity.h"

#include <algorithm>
#include <utility>

#include "exporters/aws/endpoints.h"
#include "exporters/aws/sts_access.h"

namespace invlog::aws {
namespace {

using std::chrono::seconds;

constexpr seconds kFirstWait{1}, kLongestWait{300};
constexpr seconds kWorthWaiting{60};

}  // namespace

std::optional<std::string> identity_endpoint(std::string_view upstream, std::string_view region,
                                             const std::string& sts_endpoint,
                                             const Environment& environment) {
  std::string configured = configured_sts_endpoint(sts_endpoint, environment);
  if (!configured.empty()) {
    return configured;
  }
  if (is_own_endpoint("bedrock-runtime", upstream, region)) {
    return "https://" + service_host("sts", region);
  }
  return std::nullopt;
}

CallerIdentityLookup::CallerIdentityLookup(ServiceClient& sts, SteadyClock clock,
                                           std::function<double()> random)
    : sts_(sts), clock_(std::move(clock)), random_(std::move(random)), due_(clock_()) {}

bool CallerIdentityLookup::knows(std::string_view access_key_id) const {
  return identity_ && (access_key_id.empty() || identity_->access_key_id == access_key_id);
}

void CallerIdentityLookup::wait_longer() {
  wait_ = wait_.count() == 0 ? kFirstWait : std::min(wait_ * 2, kLongestWait);
}

const std::optional<CallerIdentity>& CallerIdentityLookup::poll(std::string_view access_key_id) {
  if (knows(access_key_id) || clock_() < due_) {
    return identity_;
  }
  auto answer = get_caller_identity(sts_);
  if (answer) {
    identity_ = std::move(*answer);
    failure_.reset();
    failing_since_.reset();
    if (knows(access_key_id)) {
      wait_ = seconds(0);
      due_ = clock_();
      return identity_;
    }
    wait_longer();  // it was asked with a key that whoever asks here does not use yet
  } else {
    failure_ = std::move(answer.error());
    if (failure_->no_credentials) {
      wait_ = kFirstWait;
    } else {
      failing_since_ = failing_since_.value_or(clock_());
      wait_longer();
    }
  }
  // Full of jitter, so that hosts that start together do not ask together; never less than half.
  const auto jittered = std::chrono::duration_cast<std::chrono::milliseconds>(
      wait_ * (0.5 + 0.5 * std::clamp(random_(), 0.0, 1.0)));
  due_ = clock_() + jittered;
  return identity_;
}

bool CallerIdentityLookup::worth_waiting() const {
  if (identity_) {
    return false;
  }
  if (!failure_ || failure_->no_credentials || failure_->kind == FailureKind::cancelled) {
    return true;
  }
  const bool passes = passes_by_itself(failure_->kind) || failure_->kind == FailureKind::clock;
  return passes && clock_() < *failing_since_ + kWorthWaiting;
}

std::optional<std::chrono::steady_clock::time_point> CallerIdentityLookup::due() const {
  return identity_ ? std::nullopt : std::optional(due_);
}

}  // namespace invlog::aws
