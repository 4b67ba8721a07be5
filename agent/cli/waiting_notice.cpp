#include "agent/cli/waiting_notice.h"

namespace invlog::cli {
namespace {

constexpr std::chrono::seconds kPatience{2}, kRepeat{60};

}  // namespace

bool WaitingNotice::due(const std::string& waiting_for, Time now) {
  if (waiting_for.empty()) {
    waiting_ = false;
    return false;
  }
  if (!waiting_) {
    waiting_ = true;
    since_ = now;
  }
  if (now - since_ < kPatience || (has_said_ && now - said_ < kRepeat)) {
    return false;
  }
  has_said_ = true;
  said_ = now;
  return true;
}

}  // namespace invlog::cli
