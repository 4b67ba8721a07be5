#include "agent/cli/time_option.h"

#include "tests/catch.h"

using invlog::cli::parse_time;

TEST_CASE("moments are UTC, spans count back from now") {
  constexpr std::int64_t kSecond = 1'000'000;
  constexpr std::int64_t kNow = 2'000'000'000 * kSecond;
  CHECK(parse_time("1970-01-01", kNow) == 0);
  CHECK(parse_time("2026-10-05", kNow) == 1'791'158'400 * kSecond);
  CHECK(parse_time("2026-10-05T14:00", kNow) == 1'791'208'800 * kSecond);
  CHECK(parse_time("2026-10-05T14:00:01Z", kNow) == 1'791'208'801 * kSecond);
  CHECK(parse_time("2026-10-05 14:00:01", kNow) == 1'791'208'801 * kSecond);
  CHECK(parse_time("90s", kNow) == kNow - 90 * kSecond);
  CHECK(parse_time("30m", kNow) == kNow - 1800 * kSecond);
  CHECK(parse_time("12h", kNow) == kNow - 43'200 * kSecond);
  CHECK(parse_time("7d", kNow) == kNow - 604'800 * kSecond);
  CHECK(parse_time("2w", kNow) == kNow - 1'209'600 * kSecond);
  for (const char* wrong :
       {"", "yesterday", "2026-13-01", "2026-02-30", "2026-10-05T24:00", "2026-10-05T1:00",
        "2026-10-05T14:00:00+02:00", "-7d", "7", "7days", "99999999999d", "2026-10-5", "2026"}) {
    INFO(wrong);
    CHECK(!parse_time(wrong, kNow));
  }
}
