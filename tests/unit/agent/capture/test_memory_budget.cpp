#include "agent/capture/memory_budget.h"

#include <string>

#include "tests/catch.h"
#include "tests/unit/agent/capture/coroutine_loop.h"

namespace invlog::capture {

TEST_CASE("Bodies wait for room, and go on when it is given back") {
  CoroutineLoop loop;
  MemoryBudget budget(100);
  CHECK(*loop.start(budget.take_when_room(60)));
  const auto large = loop.start(budget.take_when_room(50));
  const auto small = loop.start(budget.take_when_room(41));
  CHECK_FALSE(*large);
  CHECK_FALSE(*small);
  CHECK(budget.used() == 60);
  budget.give_back(10);
  loop.run();
  CHECK(*large);
  CHECK_FALSE(*small);
  CHECK(budget.used() == 100);
  budget.give_back(50);
  loop.run();
  CHECK(*small);
  CHECK(budget.used() == 91);
}

TEST_CASE("A small body passes a large one that still has to wait") {
  CoroutineLoop loop;
  MemoryBudget budget(100);
  loop.start(budget.take_when_room(90));
  const auto large = loop.start(budget.take_when_room(80));
  const auto small = loop.start(budget.take_when_room(20));
  budget.give_back(10);
  loop.run();
  CHECK_FALSE(*large);
  CHECK(*small);
  budget.give_back(100);
  loop.run();
  CHECK(*large);
}

TEST_CASE("A body alone is let in whatever its size") {
  CoroutineLoop loop;
  MemoryBudget budget(100);
  const auto first = loop.start(budget.take_when_room(1000));
  CHECK(*first);
  const auto second = loop.start(budget.take_when_room(1000));
  CHECK_FALSE(*second);
  budget.give_back(1000);
  loop.run();
  CHECK(*second);
}

TEST_CASE("While one waits, bodies that are slow to arrive are cut, and only then") {
  CoroutineLoop loop;
  MemoryBudget budget(100);
  const MemoryBudget::Time start{};
  const auto limit = std::chrono::milliseconds(1000);
  std::string cut;
  MemoryBudget::Arriving old(budget, start, [&] { cut += "old "; });
  MemoryBudget::Arriving young(budget, start + 2 * limit, [&] { cut += "young "; });
  loop.start(budget.take_when_room(100));
  budget.tick(start + 3 * limit, limit);
  CHECK(cut.empty());
  const auto waiting = loop.start(budget.take_when_room(10));
  budget.tick(start + 3 * limit, limit);
  CHECK(cut == "old ");
  CHECK(old.was_cut());
  budget.tick(start + 3 * limit, limit);
  CHECK(cut == "old ");
  CHECK_FALSE(*waiting);
  budget.give_back(100);
  loop.run();
  CHECK(*waiting);
  CHECK_FALSE(young.was_cut());
}

TEST_CASE("A body that grows is let in when it is alone, and is not slow while it waits for room") {
  CoroutineLoop loop;
  MemoryBudget budget(100);
  MemoryBudget::Arriving growing(budget, {}, [] {});
  loop.start(budget.take_when_room(80));
  CHECK(*loop.start(budget.take_when_room(80, 80, &growing)));
  const auto other = loop.start(budget.take_when_room(30));
  const auto more = loop.start(budget.take_when_room(10, 80, &growing));
  CHECK_FALSE(*more);
  budget.tick(MemoryBudget::Time{} + std::chrono::seconds(1), std::chrono::milliseconds(1));
  CHECK_FALSE(growing.was_cut());
  budget.give_back(80);
  loop.run();
  CHECK(*more);
  CHECK_FALSE(*other);
  budget.give_back(90);
  loop.run();
  CHECK(*other);
}

TEST_CASE("Of bodies that hold all there is and wait for more, one after the other gets on") {
  CoroutineLoop loop;
  MemoryBudget budget(100);
  MemoryBudget::Arriving first(budget, {}, [] {}), second(budget, {}, [] {}),
      third(budget, {}, [] {});
  for (int body = 0; body < 3; ++body)
    loop.start(budget.take_when_room(30));
  const auto large = loop.start(budget.take_when_room(80));
  const auto first_more = loop.start(budget.take_when_room(30, 30, &first));
  const auto second_more = loop.start(budget.take_when_room(30, 30, &second));
  CHECK_FALSE(*first_more);
  CHECK_FALSE(*second_more);
  const auto third_more = loop.start(budget.take_when_room(30, 30, &third));
  CHECK(*first_more);
  CHECK_FALSE(*second_more);
  CHECK_FALSE(*third_more);
  CHECK_FALSE(*large);
  budget.give_back(60);
  loop.run();
  CHECK(*second_more);
  CHECK_FALSE(*third_more);
  budget.give_back(60);
  loop.run();
  CHECK(*third_more);
  CHECK_FALSE(*large);
  budget.give_back(60);
  loop.run();
  CHECK(*large);
}

TEST_CASE("The oldest body gets on until it is through, and only it goes beyond the limit") {
  CoroutineLoop loop;
  MemoryBudget budget(100);
  MemoryBudget::Arriving old(budget, {}, [] {}), young(budget, {}, [] {});
  loop.start(budget.take_when_room(50));
  loop.start(budget.take_when_room(50));
  const auto young_more = loop.start(budget.take_when_room(50, 50, &young));
  const auto old_more = loop.start(budget.take_when_room(50, 50, &old));
  CHECK(*old_more);
  CHECK(*loop.start(budget.take_when_room(100, 100, &old)));
  CHECK_FALSE(*young_more);
  CHECK(budget.used() == 250);
  budget.give_back(200);
  loop.run();
  CHECK(*young_more);
}

TEST_CASE("Others pass a body that waits for more room than there is, but not for long") {
  CoroutineLoop loop;
  MemoryBudget budget(100);
  const MemoryBudget::Time start{};
  const auto slow = std::chrono::hours(1);
  MemoryBudget::Arriving large(budget, start, [] {});
  budget.take(90);
  const auto waits = loop.start(budget.take_when_room(60, 0, &large));
  CHECK(budget.tick(start, slow).out_of_patience == 0);
  CHECK(budget.take_at_once(10));
  budget.give_back(10);
  CHECK(budget.tick(start + MemoryBudget::kPatience, slow).out_of_patience == 1);
  CHECK(budget.tick(start + 2 * MemoryBudget::kPatience, slow).out_of_patience == 0);
  CHECK_FALSE(budget.take_at_once(10));
  const auto younger = loop.start(budget.take_when_room(10));
  budget.give_back(40);
  loop.run();
  CHECK_FALSE(*waits);
  CHECK_FALSE(*younger);
  budget.give_back(10);
  loop.run();
  CHECK(*waits);
  CHECK_FALSE(*younger);
  budget.give_back(10);
  loop.run();
  CHECK(*younger);
}

TEST_CASE("A large body gets its room under a load of others that never ends") {
  CoroutineLoop loop;
  MemoryBudget budget(100);
  MemoryBudget::Time now{};
  MemoryBudget::Arriving large(budget, now, [] {});
  budget.take(20);
  const auto through = loop.start(budget.take_when_room(60, 20, &large));
  CHECK(*through);
  budget.give_back(60);
  for (int number = 0; number < 8; ++number)
    CHECK(budget.take_at_once(10));
  const auto more = loop.start(budget.take_when_room(60, 20, &large));
  // Each that ends is followed by another at once.
  std::size_t followers = 0;
  for (int round = 0; round < 100 && !*more; ++round) {
    now += std::chrono::seconds(1);
    budget.tick(now, std::chrono::hours(1));
    budget.give_back(10);
    loop.start(budget.take_when_room(10));
    ++followers;
  }
  CHECK(*more);
  CHECK(followers < 15);
  CHECK(budget.used() <= budget.limit());
  // Nobody is left waiting when the budget goes.
  for (int round = 0; round < 3; ++round) {
    budget.give_back(budget.used());
    loop.run();
  }
}

TEST_CASE("A body that nobody needs any more stops waiting, and others get on") {
  CoroutineLoop loop;
  MemoryBudget budget(100);
  const MemoryBudget::Time start{};
  MemoryBudget::Arriving left(budget, start, [] {});
  left.stop_waiting();  // it does not
  budget.take(90);
  const auto leaves = loop.start(budget.take_when_room(60, 0, &left));
  budget.tick(start, std::chrono::hours(1));
  budget.tick(start + MemoryBudget::kPatience, std::chrono::hours(1));
  const auto other = loop.start(budget.take_when_room(10));
  CHECK_FALSE(*other);
  left.stop_waiting();
  loop.run();
  REQUIRE(*leaves);
  CHECK(**leaves == false);
  CHECK(*other);
  CHECK(budget.used() == 100);
}

TEST_CASE("A body that has waited for room has its time to arrive anew") {
  CoroutineLoop loop;
  MemoryBudget budget(100);
  const auto limit = std::chrono::milliseconds(1000);
  const MemoryBudget::Time start{};
  MemoryBudget::Arriving body(budget, start, [] {});
  budget.take(100);
  const auto waits = loop.start(budget.take_when_room(10, 10, &body));
  CHECK(budget.tick(start + 5 * limit, limit).cut == 0);
  budget.give_back(50);
  loop.run();
  CHECK(*waits);
  const auto other = loop.start(budget.take_when_room(90));
  CHECK(budget.tick(start + 6 * limit, limit).cut == 0);
  CHECK(budget.tick(start + 7 * limit, limit).cut == 1);
  CHECK_FALSE(*other);
  budget.give_back(budget.used());
  loop.run();
  CHECK(*other);
}

TEST_CASE("A copy takes what is left, and no more") {
  MemoryBudget budget(100);
  budget.take(70);
  CHECK(budget.take_up_to(20) == 20);
  CHECK(budget.take_up_to(20) == 10);
  CHECK(budget.take_up_to(20) == 0);
  budget.take(50);
  CHECK(budget.take_up_to(1) == 0);
  CHECK(budget.used() == 150);
}

}  // namespace invlog::capture
