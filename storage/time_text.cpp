#include "storage/time_text.h"

#include <chrono>
#include <cstdio>
#include <ctime>

namespace invlog::storage {

std::int64_t utc_day(std::int64_t unix_us) {
  return std::chrono::floor<std::chrono::days>(std::chrono::microseconds(unix_us)).count();
}

std::string iso_seconds(std::int64_t unix_us) {
  using namespace std::chrono;
  const auto seconds_since_epoch = floor<seconds>(microseconds(unix_us));
  const auto days_since_epoch = floor<days>(seconds_since_epoch);
  const year_month_day date{sys_days{days_since_epoch}};
  const hh_mm_ss time{seconds_since_epoch - days_since_epoch};
  char text[64];
  std::snprintf(text, sizeof(text), "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()));
  return text;
}

std::int64_t system_now_us() {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(since_epoch).count();
}

std::int64_t since_boot_us() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
}

}  // namespace invlog::storage
