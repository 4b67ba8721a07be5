#include "exporters/backoff.h"

#include <limits>

#include "tests/catch.h"

using namespace invlog::exporters;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr double kAlmostOne = 0.999999999;

Backoff drawing(double number, BackoffOptions options = {}) {
  return Backoff(options, [number] { return number; });
}

}  // namespace

TEST_CASE("the longest wait doubles with each attempt up to the cap") {
  Backoff backoff = drawing(1.0);
  for (const int expected : {400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000}) {
    CHECK(backoff.next(false) == milliseconds(expected));
  }
  CHECK(backoff.attempts() == 10);
}

TEST_CASE("the shortest wait is a quarter of the base, however many attempts there were") {
  Backoff backoff = drawing(0.0);
  for (int i = 0; i < 100; ++i) {
    CHECK(backoff.next(false) == milliseconds(50));
  }
}

TEST_CASE("what lies between is drawn evenly") {
  CHECK(drawing(0.5).next(false) == milliseconds(225));
}

TEST_CASE("throttling waits longer at every attempt, up to the same cap") {
  for (const double number : {0.0, 0.5, kAlmostOne}) {
    Backoff plain = drawing(number), throttled = drawing(number);
    for (int i = 0; i < 6; ++i) {
      CHECK(throttled.next(true) > plain.next(false));
    }
  }
  CHECK(drawing(1.0).next(true) == seconds(2));
  CHECK(drawing(0.0).next(true) == milliseconds(250));
  Backoff backoff = drawing(1.0);
  for (int i = 0; i < 1000; ++i) {
    CHECK(backoff.next(i % 2 == 0) <= seconds(60));
  }
}

TEST_CASE("what the service asked for is a floor, with a cap of its own") {
  CHECK(drawing(0.0).next(false, seconds(7)) == seconds(7));
  CHECK(drawing(1.0).next(false, milliseconds(10)) == milliseconds(400));
  CHECK(drawing(0.0).next(true, seconds(100)) == seconds(100));
  CHECK(drawing(0.0).next(false, std::chrono::hours(24)) == seconds(300));
  CHECK(drawing(0.0).next(false, milliseconds(-5)) == milliseconds(50));
}

TEST_CASE("after a success the waits begin again") {
  Backoff backoff = drawing(1.0);
  backoff.next(false);
  backoff.next(false);
  backoff.reset();
  CHECK(backoff.attempts() == 0);
  CHECK(backoff.next(false) == milliseconds(400));
}

TEST_CASE("no options and no random source make it a busy loop or a wait without end") {
  BackoffOptions none;
  none.base = none.throttled_base = none.longest = none.longest_retry_after = milliseconds(0);
  CHECK(drawing(0.0, none).next(false) >= milliseconds(1));
  CHECK(drawing(0.0, none).next(true, milliseconds(0)) >= milliseconds(1));
  BackoffOptions huge;
  huge.base = huge.longest = milliseconds::max();
  Backoff backoff = drawing(1.0, huge);
  CHECK(backoff.next(false) > milliseconds(0));
  CHECK(backoff.next(false) > milliseconds(0));
  BackoffOptions crossed;
  crossed.base = seconds(100);
  CHECK(drawing(1.0, crossed).next(false) == seconds(60));
  for (const double odd : {-1.0, 2.0, std::numeric_limits<double>::quiet_NaN(),
                           std::numeric_limits<double>::infinity()}) {
    const milliseconds wait = drawing(odd).next(false);
    CHECK(wait >= milliseconds(50));
    CHECK(wait <= milliseconds(400));
  }
}
