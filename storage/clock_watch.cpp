#include "storage/clock_watch.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace invlog::storage {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::int64_t kMinuteUs = 60 * kSecondUs;
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

void ClockWatch::remember(std::int64_t newest, std::int64_t set_at) {
  const std::int64_t now = wall_();
  from_newest_ = newest != 0 ? now - newest : 0;
  since_set_ = set_at != 0 && now >= set_at ? std::optional(now - set_at) : std::nullopt;
}

void ClockWatch::note_step(std::int64_t step, std::int64_t steady) {
  set_at_ = steady;
  new_step_ = step;
  problem_ = "the clock was set by " + std::to_string(step / kSecondUs) + " s";
}

// A host may have been off for days: only what would take much at once is strange.
void ClockWatch::look_at_start(std::int64_t most, std::int64_t wait) {
  if (std::abs(from_newest_) > most) {
    note_step(from_newest_, began_);
    problem_ =
        "the clock is " + std::to_string(from_newest_ / kSecondUs) + " s from the newest record";
  } else if (since_set_ && *since_set_ < wait) {
    set_at_ = began_ - *since_set_;
    problem_ = "the clock was set before the agent started";
  }
}

std::int64_t ClockWatch::trusted_now(std::int64_t max_age_us) {
  // Who keeps records for an hour does not want to wait for six.
  const std::int64_t most = max_age_us / 10;
  const std::int64_t wait = std::min(kWaitAfterSet, most);
  const std::int64_t steady = steady_(), now = wall_();
  const std::int64_t offset = now - steady;
  if (!std::exchange(started_, true)) {
    look_at_start(most, wait);
  }
  const std::int64_t step = offset - std::exchange(offset_, offset);
  if (std::abs(step) > std::min(kLargestStep, most)) {
    note_step(step, steady);
  }
  if (set_at_ && steady - *set_at_ < wait) {
    return 0;
  }
  set_at_.reset();
  problem_.clear();
  return steady - began_ < std::min(kWaitAfterStart, most) ? 0 : now;
}

}  // namespace invlog::storage
