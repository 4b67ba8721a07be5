// A warning in the log at most once a minute, however often its cause comes, with how often it
// came.
//
// Thread: any one. Errors: none.
#pragma once

#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace invlog::capture {

class RareWarning {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // How often the cause has come since it was said last, if it is to be said now; else 0.
  std::uint64_t due(Time now) {
    ++count_;
    if (said_ && now - *said_ < std::chrono::minutes(1))
      return 0;
    said_ = now;
    return std::exchange(count_, 0);
  }
  // Whether it was said now.
  bool say(Time now, std::string_view text) {
    const std::uint64_t times = due(now);
    if (times == 1) {
      spdlog::warn("{}", text);
    } else if (times > 1) {
      spdlog::warn("{} ({} times since this was said last)", text, times);
    }
    return times > 0;
  }

 private:
  std::optional<Time> said_;
  std::uint64_t count_ = 0;
};

}  // namespace invlog::capture
