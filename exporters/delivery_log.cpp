#include "exporters/delivery_log.h"

#include <spdlog/spdlog.h>

#include "exporters/log_fields.h"

namespace invlog::exporters {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kMinuteUs = 60'000'000;

// The host's clock may be set back meanwhile.
bool has_passed(std::int64_t since_us, std::int64_t now_us, std::int64_t duration_us) {
  return now_us < since_us || now_us - since_us >= duration_us;
}

}  // namespace

std::string duration_text(milliseconds duration) {
  const std::int64_t ms = duration.count();
  const std::int64_t seconds = (ms + 500) / 1000;
  if (ms < 9950) {
    return std::to_string((ms + 50) / 1000) + "." + std::to_string((ms + 50) / 100 % 10) + " s";
  }
  if (seconds < 100) {
    return std::to_string(seconds) + " s";
  }
  const std::int64_t minutes = (seconds + 30) / 60;
  if (minutes < 100) {
    return std::to_string(minutes) + " min";
  }
  return std::to_string(minutes / 60) + " h " + std::to_string(minutes % 60) + " min";
}

void DeliveryLog::started(const std::string& where, const std::string& earlier, std::int64_t cursor,
                          std::int64_t waiting) {
  if (!earlier.empty()) {
    spdlog::warn(
        "delivery to {} begins after record {}: what went to {} stays there, {} records wait",
        where, cursor, earlier, waiting);
    return;
  }
  spdlog::info("delivery to {}: everything up to record {} is there, {} records wait", where,
               cursor, waiting);
}

void DeliveryLog::failed(const std::string& where, const std::string& message, milliseconds pause,
                         milliseconds quiet) {
  const std::int64_t now = clock_();
  ++failures_;
  if (failing_since_us_ == 0) {
    failing_since_us_ = now;
    said_us_ = 0;
  }
  const std::int64_t quiet_us =
      message == said_ ? std::chrono::microseconds(quiet).count() : kMinuteUs;
  if (said_us_ != 0 && !has_passed(said_us_, now, quiet_us)) {
    return;
  }
  said_us_ = now;
  said_ = message;
  const LogContext context({log_message::kDeliveryFailing, {}});
  spdlog::warn("delivery to {} fails: {}; next attempt in {}, records wait in the store", where,
               message, duration_text(pause));
}

void DeliveryLog::store_failed(const std::string& where, const std::string& message) {
  const std::int64_t now = clock_();
  if (store_said_us_ == 0 || has_passed(store_said_us_, now, kMinuteUs)) {
    store_said_us_ = now;
    spdlog::error("delivery to {} waits for the store: {}", where, message);
  }
}

void DeliveryLog::locked(const std::string& where, const std::string& message,
                         milliseconds lasted) {
  if (failing_since_us_ == 0) {
    failing_since_us_ = clock_() - std::chrono::microseconds(lasted).count();
    said_us_ = 0;
  }
  const LogContext context({log_message::kDeliveryFailing, {}});
  spdlog::warn(
      "delivery to {} waits: {} without getting on: is it stopped? Records wait in the store",
      where, message);
}

void DeliveryLog::searching(const std::string& where, std::size_t records,
                            const std::string& message) {
  spdlog::info("{} refuses a batch of {} records, looking for the one that it does not take: {}",
               where, records, message);
}

void DeliveryLog::dead_letters(const std::string& where, const std::vector<Refused>& refused) {
  if (refused.empty()) {
    return;
  }
  letters_ += static_cast<std::int64_t>(refused.size());
  const std::int64_t now = clock_();
  if (letters_said_us_ != 0 && !has_passed(letters_said_us_, now, kMinuteUs)) {
    return;  // they are counted in the next line
  }
  letters_said_us_ = now;
  const std::string others =
      letters_ == 1 ? "" : " and " + std::to_string(letters_ - 1) + " before it";
  const LogContext context({log_message::kDeadLetter, {}});
  spdlog::warn("record {}{} did not get to {}: {}; see `invlog dead-letters list`",
               refused.back().record, others, where, refused.back().reason);
  letters_ = 0;
}

void DeliveryLog::delivered(const std::string& where, std::size_t records, const Sent& sent) {
  end_failure(where, "delivered again");
  if (spdlog::should_log(spdlog::level::debug)) {
    std::string places;
    for (const std::string& place : sent.places) {
      places += " " + place;
    }
    spdlog::debug("{} records, {} bytes, delivered to {}{}", records, sent.bytes, where, places);
  }
}

void DeliveryLog::passed(const std::string& where) {
  end_failure(where, "possible again");
}

void DeliveryLog::end_failure(const std::string& where, const char* what) {
  if (failing_since_us_ != 0) {
    const LogContext context({log_message::kDeliveryRecovered, {}});
    const std::int64_t lasted = clock_() - failing_since_us_;
    spdlog::info("delivery to {}: {} after {}, {} retries", where, what,
                 duration_text(milliseconds(lasted > 0 ? lasted / 1000 : 0)), failures_);
  }
  failing_since_us_ = 0;
  failures_ = 0;
  said_.clear();
}

}  // namespace invlog::exporters
