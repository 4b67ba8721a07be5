// What a log line is about, beside its text: for the journal and for JSON lines, where programs
// look for it. spdlog's own calls have no place for it, so it is set around them:
//
//   const LogContext context({log_message::kStoreFailing, {}});
//   spdlog::error("the store takes no records: {}", why);
//
// Threads: each has its own; the log's sinks run on the thread that logs. Ownership: the fields'
// texts must outlive the LogContext.
#pragma once

#include <string_view>

namespace invlog {

struct LogFields {
  std::string_view message_id;  // of log_message, "" none
  std::string_view request_id;  // x-amzn-RequestId of the call that it is about, "" none
};

class LogContext {
 public:
  explicit LogContext(const LogFields& fields) : before_(current_) { current_ = fields; }
  ~LogContext() { current_ = before_; }
  LogContext(const LogContext&) = delete;
  LogContext& operator=(const LogContext&) = delete;
  // Of the calling thread.
  static const LogFields& current() { return current_; }

 private:
  static inline thread_local LogFields current_;
  LogFields before_;
};

// MESSAGE_ID of what an administrator may want to find or to be alarmed by (journalctl
// MESSAGE_ID=). Drawn at random; they never change.
namespace log_message {
inline constexpr std::string_view kStarted = "f84bba3e1b3949a3a8dcb8ffc7291ee8";
inline constexpr std::string_view kStopping = "19b8d3dd23504fc988b2fcb55dc8535d";
inline constexpr std::string_view kStoreFailing = "3a424d98f91c46f5aa9fe5869e121b1d";
inline constexpr std::string_view kStoreRecovered = "d2ffefe00e654d71ae10639ff7bcf647";
inline constexpr std::string_view kDeliveryFailing = "0e16f03942eb4f6498aed5d6bb36148c";
inline constexpr std::string_view kDeliveryRecovered = "11d324ad7b9947b39f066c2f857c7fd5";
inline constexpr std::string_view kDeadLetter = "30ee5fafe33d4c95bdf0b435cea37bdd";
inline constexpr std::string_view kProfileChanged = "04ba32b466d74921ba8dd7b150a5ab88";
inline constexpr std::string_view kCallEnded = "0ead2a6373dc45b3aa7fd4e32a0fb06a";
inline constexpr std::string_view kRetentionFailing = "fe6878a6510d4e19badc1f109eb2f99e";
}  // namespace log_message

}  // namespace invlog
