// What a delivery says in the log: each thing once, and a failure that lasts at most once a minute.
// Never a body.
//
// Threads: one, its Shipper's. Errors: none.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "exporters/destination.h"

namespace invlog::exporters {

class DeliveryLog {
 public:
  // `clock`: now, Unix µs.
  explicit DeliveryLog(std::function<std::int64_t()> clock) : clock_(std::move(clock)) {}

  // `where`: "s3 (s3://records-eu)".
  // `earlier`: the target that was delivered to before, "" the same.
  void started(const std::string& where, const std::string& earlier, std::int64_t cursor,
               std::int64_t waiting);
  // `pause`: until the next attempt. `quiet`: how long the same message is not repeated.
  void failed(const std::string& where, const std::string& message, std::chrono::milliseconds pause,
              std::chrono::milliseconds quiet = std::chrono::minutes(1));
  void store_failed(const std::string& where, const std::string& message);
  // `lasted`: how long it has been so.
  void locked(const std::string& where, const std::string& message,
              std::chrono::milliseconds lasted);
  void searching(const std::string& where, std::size_t records, const std::string& message);
  void dead_letters(const std::string& where, const std::vector<Refused>& refused);
  void delivered(const std::string& where, std::size_t records, const Sent& sent);
  // What failed works again, and nothing had to be delivered to show that.
  void passed(const std::string& where);

 private:
  void end_failure(const std::string& where, const char* what);

  const std::function<std::int64_t()> clock_;
  std::int64_t failing_since_us_ = 0;  // 0: the last attempt succeeded
  std::int64_t failures_ = 0;
  std::int64_t said_us_ = 0;
  std::string said_;
  std::int64_t store_said_us_ = 0;
  std::int64_t letters_ = 0;  // not said yet
  std::int64_t letters_said_us_ = 0;
};

// "0.4 s", "45 s", "3 min", "2 h 5 min".
std::string duration_text(std::chrono::milliseconds duration);

}  // namespace invlog::exporters
