// Numbers, times and spans of time as a report words them.
#include <array>
#include <chrono>
#include <cstdio>

#include "agent/residency/report_document.h"
#include "storage/time_text.h"

namespace invlog::residency {
namespace {

constexpr std::int64_t kDayUs = 86'400'000'000;
// So many lines of a table, or bars of a picture, are read with ease.
constexpr std::size_t kMostDays = 62, kMostWeeks = 110;

// 1970-01-01 was a Thursday; weeks begin on Monday.
std::int64_t monday_of(std::int64_t day) {
  const std::int64_t since_monday = (day + 3) % 7;
  return day - (since_monday < 0 ? since_monday + 7 : since_monday);
}

std::chrono::year_month_day date_of(std::int64_t day) {
  return std::chrono::sys_days(std::chrono::days(day));
}

// ISO 8601: the week belongs to the year of its Thursday.
std::string week_name(std::int64_t monday) {
  const std::chrono::year_month_day thursday = date_of(monday + 3);
  const auto first = std::chrono::sys_days(thursday.year() / std::chrono::January / 1);
  const std::int64_t number = (monday + 3 - first.time_since_epoch().count()) / 7 + 1;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%04d-W%02d", static_cast<int>(thursday.year()),
                static_cast<int>(number));
  return text.data();
}

std::string day_name(std::int64_t day) {
  return storage::iso_seconds(day * kDayUs).substr(0, 10);
}

void add(DayRow& sums, const DayRow& day) {
  sums.volume.add(day.volume);
  sums.flagged += day.flagged;
  for (std::size_t scope = 0; scope < kScopes; ++scope) {
    sums.calls_by_scope[scope] += day.calls_by_scope[scope];
  }
}

std::string bucket_name(std::string_view unit, std::int64_t day) {
  return unit == "day"    ? day_name(day)
         : unit == "week" ? week_name(monday_of(day))
                          : day_name(day).substr(0, 7);
}

}  // namespace

TimeBuckets time_buckets(const std::vector<DayRow>& days) {
  TimeBuckets result;
  result.unit = days.size() <= kMostDays ? "day" : days.size() / 7 <= kMostWeeks ? "week" : "month";
  for (const DayRow& day : days) {
    const std::string name = bucket_name(result.unit, day.day);
    if (result.buckets.empty() || result.buckets.back().name != name) {
      result.buckets.push_back({name, day.day, day.day, {}});
    }
    result.buckets.back().last_day = day.day;
    add(result.buckets.back().sums, day);
  }
  return result;
}

std::string spaced(std::int64_t number) {
  std::string digits = std::to_string(number);
  constexpr std::string_view kNarrowNoBreakSpace = "\u202f";
  const std::size_t sign = number < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > sign + 3;) {
    at -= 3;
    digits.insert(at, kNarrowNoBreakSpace);
  }
  return digits;
}

std::string time_or_nothing(std::int64_t at_us) {
  return at_us == 0 ? "" : storage::iso_seconds(at_us);
}

std::string percentage(std::int64_t part, std::int64_t whole) {
  if (whole <= 0) {
    return "";
  }
  const double percent = 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  if (part > 0 && percent < 0.1) {
    return "< 0.1 %";
  }
  if (part < whole && percent > 99.9) {
    return "> 99.9 %";
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %%", percent);
  return text.data();
}

std::string destinations_in_words(const std::string& destinations) {
  if (destinations.empty()) {
    return "unknown";
  }
  if (destinations == "*") {
    return "any commercial Region";
  }
  std::string words;
  for (const char character : destinations) {
    words += character;
    words += character == ',' ? " " : "";
  }
  return words;
}

std::string taken_in_words(const TakenByRetention& taken) {
  return "Retention took records 1 to " + spaced(taken.last_record) + ", most recently at " +
         time_or_nothing(taken.at_us) + "; calls, denials and events of that time (before " +
         time_or_nothing(taken.complete_from_us) + ") may be missing here.";
}

}  // namespace invlog::residency
