#include "exporters/backoff.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace invlog::exporters {

using std::chrono::milliseconds;

Backoff::Backoff(BackoffOptions options, std::function<double()> random)
    : options_(options), random_(std::move(random)) {}

milliseconds Backoff::next(bool throttled, std::optional<milliseconds> retry_after) {
  if (attempts_ < std::numeric_limits<int>::max()) {
    ++attempts_;
  }
  // A wait of nothing would be a busy loop, whatever the options say.
  const milliseconds longest =
      std::clamp<milliseconds>(options_.longest, milliseconds(1), std::chrono::hours(24));
  const milliseconds base =
      std::clamp(throttled ? options_.throttled_base : options_.base, milliseconds(1), longest);
  milliseconds upper = base;
  for (int doubled = 0; doubled < attempts_ && upper < longest; ++doubled) {
    upper = upper > longest / 2 ? longest : upper * 2;
  }
  const milliseconds lower = std::max(base / 4, milliseconds(1));
  const double given = random_();
  const double drawn = given > 0 ? std::min(given, 1.0) : 0.0;  // 0 for what is no number, too
  milliseconds wait = lower + milliseconds(static_cast<milliseconds::rep>(
                                  drawn * static_cast<double>((upper - lower).count())));
  if (retry_after) {
    wait = std::max(wait, std::min(*retry_after, options_.longest_retry_after));
  }
  return wait;
}

}  // namespace invlog::exporters
