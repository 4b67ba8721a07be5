#include "agent/capture/watchdog.h"

#include <optional>

#include "tests/catch.h"

namespace invlog::capture {
namespace {

using std::chrono::milliseconds;
const Watchdog::Time kStart{std::chrono::hours(1)};

}  // namespace

TEST_CASE("A deadline fires once, never early, at most a tick late") {
  Watchdog watchdog(kStart);
  watchdog.set_tick(milliseconds(10));
  int fired = 0;
  Watchdog::Deadline deadline(watchdog, [&] { ++fired; });
  watchdog.tick(kStart + std::chrono::hours(1));
  CHECK(fired == 0);  // not armed
  const auto armed_at = watchdog.now();
  deadline.arm(milliseconds(100));
  watchdog.tick(armed_at + milliseconds(100));
  CHECK(fired == 0);  // it may have been armed just before the tick that followed
  watchdog.tick(armed_at + milliseconds(110));
  CHECK(fired == 1);
  watchdog.tick(armed_at + milliseconds(500));
  CHECK(fired == 1);
}

TEST_CASE("Arming again moves a deadline, disarming ends it") {
  Watchdog watchdog(kStart);
  watchdog.set_tick(milliseconds(10));
  int fired = 0;
  Watchdog::Deadline deadline(watchdog, [&] { ++fired; });
  deadline.arm(milliseconds(100));
  watchdog.tick(kStart + milliseconds(90));
  deadline.arm(milliseconds(100));
  watchdog.tick(kStart + milliseconds(150));
  CHECK(fired == 0);
  watchdog.tick(kStart + milliseconds(200));
  CHECK(fired == 1);
  deadline.arm(milliseconds(100));
  deadline.disarm();
  watchdog.tick(kStart + milliseconds(1000));
  CHECK(fired == 1);
}

TEST_CASE("A callback may arm its own deadline again") {
  Watchdog watchdog(kStart);
  watchdog.set_tick(milliseconds(1));
  int fired = 0;
  std::optional<Watchdog::Deadline> deadline;
  deadline.emplace(watchdog, [&] {
    if (++fired < 3)
      deadline->arm(milliseconds(10));
  });
  deadline->arm(milliseconds(10));
  for (int tick = 1; tick <= 100; ++tick)
    watchdog.tick(kStart + milliseconds(tick));
  CHECK(fired == 3);
}

TEST_CASE("A callback may remove, disarm or move other deadlines that are due too") {
  Watchdog watchdog(kStart);
  watchdog.set_tick(milliseconds(1));
  int removed = 0, disarmed = 0, moved = 0;
  std::optional<Watchdog::Deadline> to_remove, to_disarm, to_move;
  Watchdog::Deadline first(watchdog, [&] {
    to_remove.reset();
    to_disarm->disarm();
    to_move->arm(milliseconds(1000));
  });
  to_remove.emplace(watchdog, [&] { ++removed; });
  to_disarm.emplace(watchdog, [&] { ++disarmed; });
  to_move.emplace(watchdog, [&] { ++moved; });
  for (Watchdog::Deadline* each : {&first, &*to_remove, &*to_disarm, &*to_move})
    each->arm(milliseconds(10));
  watchdog.tick(kStart + milliseconds(20));
  CHECK(removed == 0);
  CHECK(disarmed == 0);
  CHECK(moved == 0);
  CHECK(watchdog.size() == 3);
  watchdog.tick(kStart + milliseconds(2000));
  CHECK(moved == 1);
}

TEST_CASE("expire_all calls those that are not armed too") {
  Watchdog watchdog(kStart);
  int fired = 0;
  Watchdog::Deadline idle(watchdog, [&] { ++fired; });
  Watchdog::Deadline armed(watchdog, [&] { ++fired; });
  armed.arm(milliseconds(100000));
  watchdog.expire_all();
  CHECK(fired == 2);
}

}  // namespace invlog::capture
