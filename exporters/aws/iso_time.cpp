#include "exporters/aws/iso_time.h"

#include <algorithm>

#include "storage/time_text.h"

namespace invlog::aws {
namespace {

bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

// Whether `text` has the form, in which '0' stands for any digit.
bool has_form(std::string_view text, std::string_view form) {
  return text.size() == form.size() &&
         std::equal(text.begin(), text.end(), form.begin(), [](char byte, char expected) {
           return expected == '0' ? is_digit(byte) : byte == expected;
         });
}

unsigned number(std::string_view digits) {
  unsigned value = 0;
  for (const char digit : digits) {
    value = value * 10 + static_cast<unsigned>(digit - '0');
  }
  return value;
}

// Of "Z", "+02:00", "-0330".
std::optional<std::chrono::minutes> parse_offset(std::string_view text) {
  using namespace std::chrono;
  if (text == "Z" || text == "z") {
    return minutes(0);
  }
  const bool colon = has_form(text.substr(std::min<std::size_t>(1, text.size())), "00:00");
  if (text.empty() || (text[0] != '+' && text[0] != '-') ||
      !(colon || has_form(text.substr(1), "0000"))) {
    return std::nullopt;
  }
  const unsigned hour = number(text.substr(1, 2)), minute = number(text.substr(colon ? 4 : 3, 2));
  if (hour > 23 || minute > 59) {
    return std::nullopt;
  }
  const minutes offset = hours(hour) + minutes(minute);
  return text[0] == '-' ? -offset : offset;
}

}  // namespace

std::optional<std::chrono::system_clock::time_point> parse_iso_time(std::string_view text) {
  using namespace std::chrono;
  constexpr std::string_view kForm = "0000-00-00T00:00:00";
  if (text.size() <= kForm.size() || !has_form(text.substr(0, kForm.size()), kForm)) {
    return std::nullopt;
  }
  std::string_view rest = text.substr(kForm.size());
  if (rest[0] == '.') {
    rest.remove_prefix(1);
    const auto end = std::find_if_not(rest.begin(), rest.end(), is_digit);
    if (end == rest.begin()) {
      return std::nullopt;
    }
    rest.remove_prefix(static_cast<std::size_t>(end - rest.begin()));
  }
  const std::optional<minutes> offset = parse_offset(rest);
  const year_month_day date{year(static_cast<int>(number(text.substr(0, 4)))),
                            month(number(text.substr(5, 2))), day(number(text.substr(8, 2)))};
  const unsigned hour = number(text.substr(11, 2)), minute = number(text.substr(14, 2)),
                 second = number(text.substr(17, 2));
  // The clock's nanoseconds end in the year 2262.
  if (!offset || !date.ok() || date.year() < year(1970) || date.year() > year(2200) || hour > 23 ||
      minute > 59 || second > 60) {
    return std::nullopt;
  }
  return sys_days(date) + hours(hour) + minutes(minute) + seconds(second) - *offset;
}

std::string iso_time(std::chrono::system_clock::time_point time) {
  return storage::iso_seconds(
      std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count());
}

}  // namespace invlog::aws
