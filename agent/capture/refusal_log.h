// Tells of refused calls without a row for each: of each caller (or host) and reason the first call
// at once, then once a minute how many more there were.
//
// Thread: the I/O thread. Ownership: `tell` is called from note(), tick() and flush(). Errors:
// none. Those that are told apart are bounded; what more there are is told of together.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

namespace invlog::capture {

struct RefusedCalls {
  std::string why;      // a short constant: "caller", "unknown-caller", "browser", ...
  std::string subject;  // of whom it is told apart: a user's name ("" not known), or a host
  std::string message;  // what the first of them was answered
  std::uint64_t calls = 0;
};

class RefusalLog {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Tell = std::function<void(const RefusedCalls&)>;
  static constexpr std::size_t kMostSubjects = 256;
  static constexpr std::chrono::seconds kInterval{60};

  explicit RefusalLog(Tell tell) : tell_(std::move(tell)) {}

  void note(const std::string& why, const std::string& subject, const std::string& message,
            Time now);
  void tick(Time now);
  void flush();  // what has not been told yet

 private:
  struct Entry {
    Time told_at;
    RefusedCalls since;  // since then
  };

  Tell tell_;
  std::map<std::pair<std::string, std::string>, Entry> entries_;
};

// The details of the event row, as JSON, where the subject is a caller.
std::string refusal_event(const RefusedCalls& refused);

}  // namespace invlog::capture
