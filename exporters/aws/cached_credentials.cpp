#include "exporters/aws/cached_credentials.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "exporters/aws/iso_time.h"

namespace invlog::aws {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr seconds kAdvisoryWindow = minutes(15);
constexpr seconds kMandatoryWindow = minutes(10);
constexpr seconds kShortestRetry{1};
constexpr seconds kLongestRetry{30};
constexpr seconds kSameKeysRetry{60};
constexpr seconds kForgetInterval{5};
// An expired key of IMDS is taken to live this long, and a random time up to eight minutes more
// (botocore, _evaluate_expiration).
constexpr seconds kExtension = minutes(12);
constexpr double kExtensionJitterSeconds = 480;
constexpr const char* kExtended =
    " (expired; used on, since the metadata service gives no newer ones)";

milliseconds part_of(milliseconds whole, double fraction) {
  return milliseconds(static_cast<std::int64_t>(static_cast<double>(whole.count()) * fraction));
}

bool same_keys(const Credentials& one, const Credentials& other) {
  return one.access_key_id == other.access_key_id &&
         one.secret_access_key == other.secret_access_key &&
         one.session_token == other.session_token && one.expiration == other.expiration;
}

// Up to half of the wait is left out by chance: a fleet that failed together must not ask together.
milliseconds retry_after(int failures, double random) {
  constexpr int kDoublings = 5;  // to the longest
  const milliseconds longest =
      std::min(kShortestRetry * (1 << std::min(failures - 1, kDoublings)), kLongestRetry);
  return part_of(longest, 1 - random / 2);
}

}  // namespace

CachedCredentials::CachedCredentials(std::unique_ptr<CredentialsProvider> source,
                                     CachedCredentialsOptions options)
    : source_(std::move(source)), options_(std::move(options)) {}

ProvideResult CachedCredentials::provide() {
  std::unique_lock lock(mutex_);
  const SystemTime now = options_.system_clock();
  const SteadyTime steady_now = options_.steady_clock();
  const Need what = need(now, steady_now);
  if (what == Need::none) {
    return *held_;
  }
  if (fetching_) {
    if (what == Need::mandatory) {
      fetched_.wait(lock, [this] { return !fetching_; });
    }
  } else if (may_fetch(now, steady_now)) {
    fetch(lock);
  }
  return current(options_.system_clock());
}

void CachedCredentials::forget() {
  const std::lock_guard lock(mutex_);
  forgotten_ = true;
}

std::string CachedCredentials::why_nothing() const {
  const std::lock_guard lock(mutex_);
  return why_nothing_;
}

CachedCredentials::Need CachedCredentials::need(SystemTime now, SteadyTime steady_now) const {
  if (!held_ ||
      (forgotten_ && (!fetched_at_ || fetching_ || steady_now - *fetched_at_ >= kForgetInterval))) {
    return Need::mandatory;
  }
  if (!held_->expiration) {
    return Need::none;
  }
  const auto left = *held_->expiration - now;
  return left <= mandatory_window_  ? Need::mandatory
         : left <= advisory_window_ ? Need::advisory
                                    : Need::none;
}

bool CachedCredentials::may_fetch(SystemTime now, SteadyTime steady_now) const {
  if (!not_before_ || steady_now >= *not_before_) {
    return true;
  }
  // The wait after a success is no reason to be without credentials, or to keep refused ones.
  return failures_ == 0 && held_ && (forgotten_ || !usable(now));
}

bool CachedCredentials::usable(SystemTime now) const {
  return held_ && (!held_->expiration || *held_->expiration > now);
}

void CachedCredentials::fetch(std::unique_lock<std::mutex>& lock) {
  fetching_ = true;
  fetched_at_ = options_.steady_clock();
  lock.unlock();
  ProvideResult result = std::nullopt;
  std::string why_nothing;
  try {
    result = source_->provide();
    if (result && !*result) {
      why_nothing = source_->why_nothing();
    }
  } catch (...) {
    lock.lock();
    fetching_ = false;
    fetched_.notify_all();
    throw;
  }
  lock.lock();
  fetching_ = false;
  why_nothing_ = std::move(why_nothing);
  fetched_.notify_all();
  take(std::move(result));
}

void CachedCredentials::take(ProvideResult result) {
  const SystemTime now = options_.system_clock();
  const SteadyTime steady_now = options_.steady_clock();
  gone_ = result && !*result;
  if (!result) {
    take_failure(std::move(result.error()), steady_now);
  } else if (*result) {
    take_credentials(std::move(**result), now, steady_now);
  } else if (usable(now)) {
    take_failure(source_->name() + ": gives no credentials any more: " + why_nothing_, steady_now);
  } else {
    held_.reset();
    error_.reset();
    failures_ = 0;
    forgotten_ = false;
    not_before_ = steady_now + options_.absent_for;
  }
}

void CachedCredentials::take_credentials(Credentials fresh, SystemTime now, SteadyTime steady_now) {
  if (fresh.expiration && *fresh.expiration <= now) {
    if (!options_.extend_expired) {
      take_failure(source_->name() + ": gave credentials that expired at " +
                       iso_time(*fresh.expiration) + "; this host's clock says " + iso_time(now) +
                       ": set the clock if it is wrong",
                   steady_now);
      return;
    }
    extend(fresh, now);
  }
  error_.reset();
  failures_ = 0;
  forgotten_ = false;
  if (!held_ || !same_keys(*held_, fresh)) {
    held_ = std::move(fresh);
    set_windows(now);
    not_before_.reset();
  } else if (fresh.expiration) {
    // The source has no newer ones yet.
    const auto left = duration_cast<seconds>(*fresh.expiration - now);
    not_before_ = steady_now + std::clamp(left / 2, kShortestRetry, kSameKeysRetry);
  }
}

void CachedCredentials::take_failure(CredentialsError error, SteadyTime steady_now) {
  error_ = std::move(error);
  ++failures_;
  not_before_ = steady_now + retry_after(failures_, options_.random());
}

ProvideResult CachedCredentials::current(SystemTime now) {
  if (held_ && !usable(now) && options_.extend_expired && !gone_) {
    extend(*held_, now);
    set_windows(now);
  }
  if (usable(now)) {
    return *held_;
  }
  if (error_) {
    return tl::unexpected(*error_);
  }
  if (held_) {  // it expired while another caller fetches
    return tl::unexpected(CredentialsError(source_->name() + ": the credentials expired at " +
                                               iso_time(*held_->expiration) +
                                               ", and new ones are being fetched",
                                           true));
  }
  return std::nullopt;
}

void CachedCredentials::set_windows(SystemTime now) {
  if (held_->expiration) {
    const auto lifetime = duration_cast<seconds>(*held_->expiration - now);
    const seconds advisory = std::min(kAdvisoryWindow, lifetime / 2);
    mandatory_window_ = std::min(kMandatoryWindow, lifetime / 3);
    advisory_window_ = advisory - part_of(advisory - mandatory_window_, options_.random() / 2);
  }
}

void CachedCredentials::extend(Credentials& credentials, SystemTime now) const {
  credentials.expiration =
      now + kExtension + seconds(static_cast<int>(options_.random() * kExtensionJitterSeconds));
  if (!credentials.source.ends_with(kExtended)) {
    credentials.source += kExtended;
  }
}

std::unique_ptr<CredentialsProvider> cached(std::unique_ptr<CredentialsProvider> source,
                                            const ChainOptions& options, bool extend_expired) {
  CachedCredentialsOptions cache;
  cache.system_clock = options.system_clock;
  cache.steady_clock = options.steady_clock;
  cache.random = options.random;
  cache.extend_expired = extend_expired;
  return std::make_unique<CachedCredentials>(std::move(source), std::move(cache));
}

}  // namespace invlog::aws
