#include "agent/cli/stop_signals.h"

#include <utility>

namespace invlog::cli {

StopSignals::StopSignals(std::function<void(int count)> on_signal)
    : on_signal_(std::move(on_signal)) {
  ::sigemptyset(&signals_);
  ::sigaddset(&signals_, SIGINT);
  ::sigaddset(&signals_, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals_, &blocked_before_);
  thread_ = std::thread([this] { wait(); });
}

StopSignals::~StopSignals() {
  ending_ = true;
  thread_.join();
  const timespec at_once{};
  while (::sigtimedwait(&signals_, nullptr, &at_once) > 0) {
  }
  ::pthread_sigmask(SIG_SETMASK, &blocked_before_, nullptr);
}

void StopSignals::wait() {
  constexpr timespec kSlice{0, 50'000'000};
  int count = 0;
  while (!ending_) {
    if (::sigtimedwait(&signals_, nullptr, &kSlice) > 0) {
      on_signal_(++count);
    }
  }
}

}  // namespace invlog::cli
