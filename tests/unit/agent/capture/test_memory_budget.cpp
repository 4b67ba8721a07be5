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
  const MemoryBudget::Arriving old(budget, start, [&] { cut += "old "; });
  const MemoryBudget::Arriving young(budget, start + 2 * limit, [&] { cut += "young "; });
  loop.start(budget.take_when_room(100));
  budget.cut_slow(start + 3 * limit, limit);
  CHECK(cut.empty());
  const auto waiting = loop.start(budget.take_when_room(10));
  budget.cut_slow(start + 3 * limit, limit);
  CHECK(cut == "old ");
  CHECK(old.was_cut());
  budget.cut_slow(start + 3 * limit, limit);
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
  const MemoryBudget::Arriving growing(budget, {}, [] {});
  loop.start(budget.take_when_room(80));
  CHECK(*loop.start(budget.take_when_room(80, 80, &growing)));
  const auto other = loop.start(budget.take_when_room(30));
  const auto more = loop.start(budget.take_when_room(10, 80, &growing));
  CHECK_FALSE(*more);
  budget.cut_slow(MemoryBudget::Time{} + std::chrono::seconds(1), std::chrono::milliseconds(1));
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
  const MemoryBudget::Arriving first(budget, {}, [] {}), second(budget, {}, [] {}),
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
