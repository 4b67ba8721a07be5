#include "agent/config/units.h"

#include "tests/catch.h"

using namespace invlog::config;
using namespace std::chrono_literals;

TEST_CASE("sizes are whole numbers with a unit, or bytes") {
  CHECK(parse_size("64MiB") == 64ull << 20);
  CHECK(parse_size("64 MiB") == 64ull << 20);
  CHECK(parse_size("1GiB") == 1ull << 30);
  CHECK(parse_size("2TiB") == 2ull << 40);
  CHECK(parse_size("3TB") == 3'000'000'000'000u);
  CHECK(parse_size("512KiB") == 512ull << 10);
  CHECK(parse_size("5MB") == 5'000'000u);
  CHECK(parse_size("2kB") == 2000u);
  CHECK(parse_size("100B") == 100u);
  CHECK(parse_size("4096") == 4096u);
  for (const char* wrong : {"", "MiB", "-1MiB", "1.5MiB", "1 mib", "1TiBs", "1  MiB", "1MiB ",
                            "99999999999999999999", "9999999999GiB"}) {
    INFO(wrong);
    CHECK(!parse_size(wrong));
  }
}

TEST_CASE("durations need a unit") {
  CHECK(parse_duration("300s") == 300s);
  CHECK(parse_duration("250ms") == 250ms);
  CHECK(parse_duration("5 m") == 5min);
  CHECK(parse_duration("1h") == 1h);
  CHECK(parse_duration("7d") == 168h);
  REQUIRE(!parse_duration("5"));
  CHECK(parse_duration("5").error() ==
        "\"5\" has no unit; write a duration such as \"250ms\", \"30s\", \"5m\", \"1h\" or \"7d\"");
  REQUIRE(!parse_duration("5 parsecs"));
  CHECK(parse_duration("5 parsecs").error().find("has an unknown unit") != std::string::npos);
}
