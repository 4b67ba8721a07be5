#include "exporters/s3/object_layout.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "exporters/aws/sigv4.h"

namespace invlog::exporters {
namespace {

constexpr std::int64_t kMicrosecondsInHour = 3'600'000'000;
// 0000-01-01 and the last moment of 9999: a year of four digits, whatever a store may hold.
constexpr std::int64_t kEarliest = -62'167'219'200'000'000;
constexpr std::int64_t kLatest = 253'402'300'799'999'999;

struct Moment {
  int year;
  unsigned month, day;
  int hour, minute, second, millisecond;
};

Moment moment_of(std::int64_t unix_us) {
  using namespace std::chrono;
  const sys_time<microseconds> time{microseconds(std::clamp(unix_us, kEarliest, kLatest))};
  const sys_days day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss<milliseconds> clock(floor<milliseconds>(time - day));
  return {static_cast<int>(date.year()),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          static_cast<int>(clock.hours().count()),
          static_cast<int>(clock.minutes().count()),
          static_cast<int>(clock.seconds().count()),
          static_cast<int>(clock.subseconds().count())};
}

std::string hour_folder(const ObjectLayout& layout, const Moment& moment) {
  char text[48];
  std::snprintf(text, sizeof(text), "/%04d/%02u/%02u/%02d/", moment.year, moment.month, moment.day,
                moment.hour);
  return log_folder(layout) + layout.region + text;
}

const char* ending_of(Compression compression) {
  switch (compression) {
    case Compression::gzip:
      return ".json.gz";
    case Compression::zstd:
      return ".json.zst";
    case Compression::none:
      break;
  }
  return ".json";
}

const char* ending_of(BodySide side) {
  return side == BodySide::input ? "_input" : "_output";
}

constexpr std::size_t kDigestLength = 16;

std::string short_digest(const std::string& text) {
  return aws::sha256_hex(text).substr(0, kDigestLength);
}

std::string span_digest(const ObjectLayout& layout, const RecordSpan& span) {
  return short_digest(layout.instance + "\n" + std::to_string(span.first_id) + "\n" +
                      std::to_string(span.last_id) + (span.retry ? "\nretry" : ""));
}

bool is_plain_name(std::string_view request_id) {
  return !request_id.empty() && request_id.size() <= 64 &&
         std::all_of(request_id.begin(), request_id.end(), [](char byte) {
           return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
                  (byte >= '0' && byte <= '9') || byte == '-';
         });
}

}  // namespace

std::int64_t utc_hour(std::int64_t unix_us) {
  const std::int64_t time = std::clamp(unix_us, kEarliest, kLatest);
  return (time - ((time % kMicrosecondsInHour + kMicrosecondsInHour) % kMicrosecondsInHour)) /
         kMicrosecondsInHour;
}

std::string log_folder(const ObjectLayout& layout) {
  std::string folder = layout.prefix;
  if (!folder.empty()) {
    folder.push_back('/');
  }
  folder.append("AWSLogs/").append(layout.account.empty() ? "unknown" : layout.account);
  return folder.append("/BedrockModelInvocationLogs/");
}

std::string record_key(const ObjectLayout& layout, const RecordSpan& span) {
  const Moment moment = moment_of(span.first_started_at_us);
  char time[48];
  std::snprintf(time, sizeof(time), "%04d%02u%02uT%02d%02d%02d%03dZ_", moment.year, moment.month,
                moment.day, moment.hour, moment.minute, moment.second, moment.millisecond);
  return hour_folder(layout, moment) + time + span_digest(layout, span) +
         ending_of(layout.compression);
}

std::string folder_of(const ObjectLayout& layout, std::int64_t started_at_us) {
  return hour_folder(layout, moment_of(started_at_us));
}

bool is_record_key(const ObjectLayout& layout, std::string_view key, std::int64_t first_id,
                   std::int64_t last_id) {
  const std::size_t underscore = key.rfind('_');
  const std::string_view digest =
      underscore == std::string_view::npos ? "" : key.substr(underscore + 1, kDigestLength);
  return digest == span_digest(layout, {first_id, last_id, 0, false}) ||
         digest == span_digest(layout, {first_id, last_id, 0, true});
}

std::string body_key(const ObjectLayout& layout, const storage::StoredRecord& record, BodySide side,
                     BodyName name) {
  const std::string& request_id = record.record.request_id;
  std::string stem = name != BodyName::record && is_plain_name(request_id) ? request_id : "";
  if (stem.empty() || name == BodyName::request_and_record) {
    stem += stem.empty() ? "" : "_";
    stem += short_digest(layout.instance + "\n" + std::to_string(record.id));
  }
  return hour_folder(layout, moment_of(record.record.started_at_us)) + "data/" + stem +
         ending_of(side) + ending_of(layout.compression);
}

bool is_body_place(std::string_view place, BodySide side) {
  const std::size_t name = place.rfind('/');
  return name != std::string_view::npos && place.substr(0, name).ends_with("/data") &&
         place.substr(name).find(ending_of(side)) != std::string_view::npos;
}

std::string permission_check_key(const ObjectLayout& layout) {
  return log_folder(layout) + "invlog-permission-check";
}

std::string s3_uri(std::string_view bucket, std::string_view key) {
  return std::string("s3://").append(bucket).append("/").append(key);
}

}  // namespace invlog::exporters
