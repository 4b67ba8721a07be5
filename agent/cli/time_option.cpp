#include "agent/cli/time_option.h"

#include <charconv>
#include <chrono>

namespace invlog::cli {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

// Reads exactly `digits` digits from the front.
bool take_number(std::string_view& text, std::size_t digits, int& number) {
  if (text.size() < digits) {
    return false;
  }
  const char* const end = text.data() + digits;
  const auto result = std::from_chars(text.data(), end, number);
  if (result.ec != std::errc{} || result.ptr != end || number < 0) {
    return false;
  }
  text.remove_prefix(digits);
  return true;
}

bool take(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) {
    return false;
  }
  text.remove_prefix(1);
  return true;
}

bool parse_moment(std::string_view text, std::int64_t& moment) {
  using namespace std::chrono;
  int year_number = 0, month_number = 0, day_number = 0, hour = 0, minute = 0, second = 0;
  if (!take_number(text, 4, year_number) || !take(text, '-') ||
      !take_number(text, 2, month_number) || !take(text, '-') ||
      !take_number(text, 2, day_number)) {
    return false;
  }
  if (!text.empty()) {
    if ((!take(text, 'T') && !take(text, ' ')) || !take_number(text, 2, hour) || !take(text, ':') ||
        !take_number(text, 2, minute) || (take(text, ':') && !take_number(text, 2, second))) {
      return false;
    }
    take(text, 'Z');
  }
  const year_month_day date{year(year_number), month(static_cast<unsigned>(month_number)),
                            day(static_cast<unsigned>(day_number))};
  if (!text.empty() || !date.ok() || hour > 23 || minute > 59 || second > 59) {
    return false;
  }
  const auto days_since_epoch = sys_days(date).time_since_epoch().count();
  moment = ((days_since_epoch * 24ll + hour) * 3600 + minute * 60 + second) * kSecond;
  return true;
}

bool parse_span(std::string_view text, std::int64_t& span) {
  std::int64_t number = 0;
  const auto [rest, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc{} || number < 0 || number > 1'000'000 ||
      text.data() + text.size() - rest != 1) {
    return false;
  }
  switch (*rest) {
    case 's':
      span = number * kSecond;
      return true;
    case 'm':
      span = number * 60 * kSecond;
      return true;
    case 'h':
      span = number * 3600 * kSecond;
      return true;
    case 'd':
      span = number * 86400 * kSecond;
      return true;
    case 'w':
      span = number * 7 * 86400 * kSecond;
      return true;
    default:
      return false;
  }
}

}  // namespace

tl::expected<std::int64_t, std::string> parse_time(std::string_view text, std::int64_t now_us) {
  std::int64_t value = 0;
  if (parse_span(text, value)) {
    return now_us - value;
  }
  if (parse_moment(text, value)) {
    return value;
  }
  return tl::unexpected("\"" + std::string(text) +
                        "\" is no time: write \"2026-10-05\", \"2026-10-05T14:03:59Z\" (UTC), or a "
                        "span before now such as \"12h\" or \"7d\"");
}

}  // namespace invlog::cli
