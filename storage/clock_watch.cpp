#include "storage/clock_watch.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace invlog::storage {
namespace {

constexpr std::int64_t kMinuteUs = 60'000'000;
constexpr std::int64_t kHourUs = 60 * kMinuteUs;
// What is more than this is no correction of a clock that runs, and what is less costs at most
// that.
constexpr std::int64_t kLargestStep = kHourUs;
constexpr std::int64_t kWaitAfterSet = 6 * kHourUs;
constexpr std::int64_t kWaitAfterStart = 10 * kMinuteUs;

}  // namespace

ClockWatch::ClockWatch(std::function<std::int64_t()> wall, std::function<std::int64_t()> steady)
    : wall_(std::move(wall)),
      steady_(std::move(steady)),
      began_(steady_()),
      offset_(wall_() - began_) {}

std::int64_t ClockWatch::trusted_now(std::int64_t max_age_us) {
  // Who keeps records for an hour does not want to wait for six.
  const std::int64_t most = max_age_us / 10;
  const std::int64_t steady = steady_(), now = wall_();
  const std::int64_t offset = now - steady;
  const std::int64_t step = offset - std::exchange(offset_, offset);
  if (std::abs(step) > std::min(kLargestStep, most)) {
    set_at_ = steady;
    set_by_ = step;
  }
  const std::int64_t wait = std::min(kWaitAfterSet, most);
  if (set_by_ != 0 && steady - set_at_ < wait) {
    problem_ = "the clock was set by " + std::to_string(set_by_ / 1'000'000) +
               " s; nothing goes by max_age until it has run on for " +
               std::to_string(wait / kMinuteUs) + " minutes";
    return 0;
  }
  set_by_ = 0;
  problem_.clear();
  return steady - began_ < std::min(kWaitAfterStart, most) ? 0 : now;
}

}  // namespace invlog::storage
