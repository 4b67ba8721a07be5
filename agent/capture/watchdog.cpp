#include "agent/capture/watchdog.h"

#include <algorithm>
#include <vector>

namespace invlog::capture {

Watchdog::Deadline::Deadline(Watchdog& watchdog, std::function<void()> expired)
    : watchdog_(watchdog), expired_(std::move(expired)) {
  place_ = watchdog_.deadlines_.insert(watchdog_.deadlines_.end(), this);
}

Watchdog::Deadline::~Deadline() {
  watchdog_.deadlines_.erase(place_);
}

template <class Chosen>
void Watchdog::run(Chosen chosen) {
  std::vector<Deadline*> due;  // a callback may add and remove deadlines
  for (Deadline* deadline : deadlines_) {
    if (chosen(*deadline))
      due.push_back(deadline);
  }
  for (Deadline* deadline : due) {
    // An earlier callback may have removed it, disarmed it, or armed it anew.
    if (std::find(deadlines_.begin(), deadlines_.end(), deadline) == deadlines_.end() ||
        !chosen(*deadline)) {
      continue;
    }
    deadline->at_ = Time::max();
    deadline->expired_();
  }
}

void Watchdog::tick(Time now) {
  now_ = now;
  run([now](const Deadline& deadline) { return deadline.at_ <= now; });
}

void Watchdog::expire_all() {
  run([](const Deadline&) { return true; });
}

}  // namespace invlog::capture
