#include "agent/cli/waiting_notice.h"

#include "tests/catch.h"

using invlog::cli::WaitingNotice;
using namespace std::chrono_literals;

TEST_CASE("a wait is said once it has lasted, and again each minute") {
  WaitingNotice notice;
  const WaitingNotice::Time begin{1000s};
  CHECK(!notice.due("away", begin));
  CHECK(!notice.due("away", begin + 1999ms));
  CHECK(notice.due("away", begin + 2s));
  CHECK(!notice.due("away", begin + 3s));
  CHECK(!notice.due("away in another way", begin + 61s));
  CHECK(notice.due("away", begin + 62s));
}

TEST_CASE("short waits are not said") {
  WaitingNotice notice;
  const WaitingNotice::Time begin{1000s};
  for (int second = 0; second < 100; second += 2) {
    CHECK(!notice.due("slow down", begin + std::chrono::seconds(second)));
    CHECK(!notice.due("slow down", begin + std::chrono::seconds(second) + 1s));
    CHECK(!notice.due("", begin + std::chrono::seconds(second) + 1500ms));
  }
}
