#include "exporters/aws/iso_time.h"

#include "tests/catch.h"

using namespace invlog::aws;

TEST_CASE("times of credentials are read in every form that AWS and its tools write") {
  for (const char* text :
       {"2026-10-05T14:03:59Z", "2026-10-05T14:03:59.123Z", "2026-10-05T14:03:59.123456789Z",
        "2026-10-05T14:03:59z", "2026-10-05T14:03:59+00:00", "2026-10-05T16:03:59+02:00",
        "2026-10-05T10:33:59-0330"}) {
    INFO(text);
    const auto time = parse_iso_time(text);
    REQUIRE(time);
    CHECK(iso_time(*time) == "2026-10-05T14:03:59Z");
  }
}

TEST_CASE("what is no time of that form is refused") {
  for (const char* text : {"",
                           "Z",
                           "2026",
                           "2026-10-05",
                           "2026-10-05T14:03:59",
                           "2026-10-05 14:03:59Z",
                           "2026-13-05T14:03:59Z",
                           "2026-02-30T14:03:59Z",
                           "2026-10-05T24:03:59Z",
                           "2026-10-05T14:60:59Z",
                           "2026-10-05T14:03:61Z",
                           "2026-10-05T14:03:59.Z",
                           "2026-10-05T14:03:59+2:00",
                           "2026-10-05T14:03:59+24:00",
                           "2026-10-05T14:03:59+",
                           "2026-10-05T14:03:59+0",
                           "2026-10-05T14:03:59ZZ",
                           "-026-10-05T14:03:59Z",
                           "9999-12-31T23:59:59Z",
                           "1767225600"}) {
    INFO(text);
    CHECK(!parse_iso_time(text));
  }
}
