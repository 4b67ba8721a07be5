#include "agent/capture/refusal_log.h"

#include <vector>

#include "tests/catch.h"

namespace invlog::capture {
namespace {

using std::chrono::seconds;

struct Told {
  std::vector<RefusedCalls> calls;
  RefusalLog log{[this](const RefusedCalls& refused) { calls.push_back(refused); }};
  RefusalLog::Time now{};
};

}  // namespace

TEST_CASE("A caller's first refusal is told at once, the others once a minute with their number") {
  Told told;
  for (int number = 0; number < 1000; ++number)
    told.log.note("caller", "alice", "no", told.now);
  REQUIRE(told.calls.size() == 1);
  CHECK(told.calls[0].calls == 1);
  told.log.tick(told.now + seconds(59));
  CHECK(told.calls.size() == 1);
  told.log.tick(told.now + seconds(60));
  REQUIRE(told.calls.size() == 2);
  CHECK(told.calls[1].calls == 999);
  CHECK(told.calls[1].subject == "alice");
  CHECK(told.calls[1].message == "no");
  told.log.tick(told.now + seconds(120));
  CHECK(told.calls.size() == 2);
  told.log.note("caller", "alice", "no", told.now + seconds(121));
  CHECK(told.calls.size() == 3);
}

TEST_CASE("Callers and reasons are told apart, but not without bound") {
  Told told;
  told.log.note("caller", "alice", "", told.now);
  told.log.note("browser", "alice", "", told.now);
  told.log.note("caller", "bob", "", told.now);
  CHECK(told.calls.size() == 3);
  for (int number = 0; number < 10000; ++number)
    told.log.note("caller", std::to_string(number), "", told.now);
  CHECK(told.calls.size() <= RefusalLog::kMostSubjects + 1);
  told.log.tick(told.now + seconds(60));
  std::uint64_t all = 0;
  for (const RefusedCalls& refused : told.calls)
    all += refused.calls;
  CHECK(all == 10003);
}

TEST_CASE("What has not been told is told at the end") {
  Told told;
  told.log.note("caller", "alice", "", told.now);
  told.log.note("caller", "alice", "", told.now);
  told.log.flush();
  REQUIRE(told.calls.size() == 2);
  CHECK(told.calls[1].calls == 1);
  told.log.flush();
  CHECK(told.calls.size() == 2);
  CHECK(refusal_event({"caller", "al\"ice", "no", 7}) ==
        R"({"why":"caller","caller":"al\"ice","calls":7,"message":"no"})");
}

}  // namespace invlog::capture
