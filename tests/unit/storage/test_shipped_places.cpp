#include "storage/shipped_places.h"

#include <algorithm>

#include "storage/delivered_ranges.h"
#include "storage/delivery_ledger.h"
#include "storage/reader.h"
#include "tests/catch.h"
#include "tests/unit/storage/temporary_store.h"

using namespace invlog::storage;

namespace {

constexpr int kRecords = 10;

// Records 1..10, and what is said of them.
struct Scene {
  Scene() {
    Writer writer(store.options());
    for (int i = 1; i <= kRecords; ++i) {
      REQUIRE(submit_and_wait(writer, record_with("request " + std::to_string(i), "response")));
    }
    auto opened = DeliveryLedger::open(store.path());
    REQUIRE(opened.has_value());
    ledger = std::move(*opened);
  }

  void deliver(const std::string& target, std::int64_t last,
               std::vector<DeliveredObject> objects = {}, std::vector<std::int64_t> refused = {}) {
    DeliveryLedger::Delivered delivered;
    delivered.last = last;
    delivered.records = 1;
    delivered.target = target;
    delivered.objects = std::move(objects);
    for (const std::int64_t record : refused) {
      DeadLetter letter;
      letter.record = record;
      letter.reason = "no";
      delivered.refused.push_back(letter);
    }
    ledger->advance("s3", delivered);
  }

  // "target records places unplaced", and "?" where some have no answer.
  std::vector<std::string> shipped(std::vector<std::int64_t> records) const {
    auto reader = Reader::open(store.path());
    REQUIRE(reader.has_value());
    ErasureSelection selection;
    selection.segments.push_back({1, true, std::move(records), 0});
    std::vector<std::string> lines;
    for (const ShippedPlaces& each : shipped_places((*reader)->connection(), selection)) {
      std::string line = each.target + " " + std::to_string(each.records);
      for (const std::string& place : each.places) {
        line += " " + place;
      }
      lines.push_back(line + " " + each.unplaced_ids + (each.under_way ? "?" : ""));
    }
    return lines;
  }

  std::vector<std::int64_t> letters() const {
    std::vector<std::int64_t> ids;
    for (const DeadLetter& letter : ledger->dead_letters()) {
      ids.push_back(letter.id);
    }
    return ids;
  }

  std::string ranges() const {
    return store.query(
        "SELECT group_concat(target || ' ' || first || '-' || last || '/' || answered, ', ') FROM "
        "(SELECT * FROM delivered_range ORDER BY id)");
  }

  TemporaryStore store;
  std::unique_ptr<DeliveryLedger> ledger;
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("Records are named where they went, whatever the destination points to by now") {
  Scene scene;
  scene.deliver("s3://a", 3, {{"s3://a/x", 1, 3}});
  scene.deliver("s3://a", 4, {{"s3://a/y", 4, 4}});
  scene.deliver("s3://b", 6, {{"s3://b/z", 5, 5}});
  CHECK(scene.shipped({2}) == Lines{"s3://a 1 s3://a/x []"});
  CHECK(scene.shipped({4, 5, 6, 7}) == Lines{"s3://a 1 s3://a/y []", "s3://b 2 s3://b/z [[6,6]]"});
  CHECK(scene.shipped({7}).empty());
  CHECK(scene.ranges() == "s3://a 1-4/4, s3://b 5-6/6");
}

TEST_CASE("What a dropped plan may have left is named where it may be") {
  Scene scene;
  scene.ledger->put_plan("s3", 4, "{}", "s3://a");
  CHECK(scene.ledger->state("s3").target == "s3://a");
  CHECK(scene.shipped({1}) == Lines{"s3://a 1 [[1,1]]?"});
  scene.ledger->drop_plan("s3");
  scene.ledger->put_plan("s3", 2, "{}", "s3://b");
  scene.deliver("s3://b", 2, {{"s3://b/x", 1, 2}});
  CHECK(scene.shipped({1, 2, 3}) == Lines{"s3://a 3 [[1,3]]?", "s3://b 2 s3://b/x []"});
  // Back at the first, where the batch arrives.
  scene.deliver("s3://a", 4, {{"s3://a/y", 3, 4}});
  CHECK(scene.shipped({4}) == Lines{"s3://a 1 s3://a/y []"});
  CHECK(scene.shipped({1}) == Lines{"s3://b 1 s3://b/x []", "s3://a 1 [[1,1]]?"});
}

TEST_CASE("An attempt at another target is noted although the records were tried before") {
  Scene scene;
  scene.ledger->note_attempt("s3", 5, "one");
  scene.ledger->note_attempt("s3", 5, "one");
  scene.ledger->note_attempt("s3", 3, "another");
  scene.ledger->note_attempt("s3", 2, "another");
  CHECK(scene.ranges() == "one 1-5/0, another 1-3/0");
  CHECK(scene.shipped({2, 4}) == Lines{"one 2 [[2,2],[4,4]]?", "another 1 [[2,2]]?"});
  scene.deliver("another", 3);
  scene.ledger->note_attempt("s3", 8, "another");
  CHECK(scene.ranges() == "one 1-5/0, another 1-8/3");
}

TEST_CASE("Records from before a destination's start were never for it") {
  Scene scene;
  scene.ledger->state("s3", 4);
  scene.deliver("s3://a", 6);
  CHECK(scene.shipped({1, 4}).empty());
  CHECK(scene.shipped({4, 5}) == Lines{"s3://a 1 [[5,5]]"});
}

TEST_CASE("What was refused is nowhere, and stays so when its dead letter is dropped") {
  Scene scene;
  scene.deliver("s3://a", 4, {}, {2, 3});
  CHECK(scene.shipped({2, 3}).empty());
  scene.ledger->drop_dead_letters(scene.letters());
  CHECK(scene.shipped({2, 3}).empty());
  CHECK(scene.shipped({1, 2, 3, 4}) == Lines{"s3://a 2 [[1,1],[4,4]]"});
  scene.store.tamper(
      "INSERT INTO event(at, kind, details) VALUES (1, 'dead-letters-dropped', '{')");
  CHECK(scene.shipped({2, 3}).empty());
}

TEST_CASE("A dead letter that is tried again is where that attempt went") {
  Scene scene;
  scene.deliver("s3://a", 4, {}, {2, 3});
  const auto letters = scene.ledger->dead_letters();
  scene.ledger->retry_dead_letters(scene.letters());
  scene.ledger->note_retry("s3", letters, "s3://b");
  const Lines under_way = scene.shipped({3});
  CHECK(std::count(under_way.begin(), under_way.end(), "s3://b 1 [[3,3]]?") == 1);
  scene.ledger->note_retry("s3", letters, "s3://b");
  scene.ledger->settle_retries({letters[0].id}, {letters[1]}, "s3", "s3://b", {{"s3://b/x", 2, 2}});
  CHECK(scene.shipped({2}) == Lines{"s3://b 1 s3://b/x []"});
  CHECK(scene.shipped({3}).empty());
  CHECK(scene.ranges() == "s3://a 1-4/4, s3://b 2-3/3");
  scene.deliver("s3://a", 6);
  CHECK(scene.ranges() == "s3://a 1-6/6, s3://b 2-3/3");
}

TEST_CASE("However often dead letters are tried again, there are no more ranges for it") {
  Scene scene;
  scene.deliver("s3://a", 9, {}, {2, 3, 4, 7});
  const auto letters = scene.ledger->dead_letters();
  const auto refuse_again = [&](const std::string& target) {
    scene.ledger->retry_dead_letters(scene.letters());
    scene.ledger->note_retry("s3", letters, target);
    scene.ledger->settle_retries({}, letters, "s3", target);
    CHECK(scene.shipped({2, 3, 4, 7}).empty());
    return scene.ranges();
  };
  for (int times = 0; times < 3; ++times) {
    CHECK(refuse_again("s3://a") == "s3://a 1-9/9");
  }
  for (int times = 0; times < 3; ++times) {
    CHECK(refuse_again("s3://b") == "s3://a 1-9/9, s3://b 2-4/4, s3://b 7-7/7");
  }
  // The newest attempt is the one that counts: it is not joined to what is older than another.
  const std::string both = "s3://a 1-9/9, s3://b 2-4/4, s3://b 7-7/7, s3://a 2-4/4, s3://a 7-7/7";
  for (int times = 0; times < 3; ++times) {
    CHECK(refuse_again("s3://a") == both);
  }
  SECTION("and what arrives at last is where it went") {
    scene.ledger->retry_dead_letters(scene.letters());
    scene.ledger->note_retry("s3", letters, "s3://a");
    scene.ledger->settle_retries(scene.letters(), {}, "s3", "s3://a");
    CHECK(scene.ranges() == both);
    CHECK(scene.shipped({2, 3, 4, 7}) == Lines{"s3://a 4 [[2,4],[7,7]]"});
  }
  SECTION("nor for those that an older invlog left") {
    scene.store.tamper(
        "DELETE FROM delivered_range WHERE id > 1; INSERT INTO delivered_range(destination, "
        "target, first, last, answered) SELECT 's3', 's3://b', 7, 7, 7 FROM json_each('[1,2,3]')");
    CHECK(refuse_again("s3://b") == "s3://a 1-9/9, s3://b 2-4/4, s3://b 7-7/7");
  }
  SECTION("nor when they come one by one, from the last to the first") {
    for (const std::size_t number : {2, 1, 0}) {
      scene.ledger->note_retry("s3", {letters[number]}, "s3://c");
      scene.ledger->settle_retries({}, {letters[number]}, "s3", "s3://c");
    }
    CHECK(scene.ranges() == both + ", s3://c 2-4/4");
  }
  SECTION("while one that has no answer stands alone") {
    scene.ledger->note_retry("s3", {letters[0]}, "s3://c");
    scene.ledger->note_retry("s3", {letters[1]}, "s3://c");
    scene.ledger->settle_retries({}, {letters[1]}, "s3", "s3://c");
    CHECK(scene.ranges() == both + ", s3://c 2-2/1, s3://c 3-3/3");
  }
}

TEST_CASE("What was only ever refused is not certain to be there when it is to be tried again") {
  Scene scene;
  scene.deliver("s3://a", 4, {}, {2, 3});
  scene.ledger->retry_dead_letters({scene.letters().front()});
  CHECK(scene.shipped({2}) == Lines{"s3://a 1 [[2,2]]?"});
  CHECK(scene.shipped({3}).empty());
  CHECK(scene.shipped({4}) == Lines{"s3://a 1 [[4,4]]"});
}

TEST_CASE("What an invlog delivered that noted no ranges is a range of the target it left") {
  Scene scene;
  scene.ledger->state("s3", 1);
  scene.deliver("s3://a", 4, {{"s3://former/x", 2, 3}});
  scene.store.tamper("UPDATE delivery_reach SET attempted = 6");
  SECTION("before there was the table") {
    scene.store.tamper("DROP TABLE delivered_range");
    scene.store.tamper("UPDATE delivery_reach SET attempted = 6");
    CHECK(scene.shipped({1, 2, 4}) == Lines{"s3://a 2 s3://former/x [[4,4]]"});
    CHECK(scene.shipped({6, 7}) == Lines{"s3://a 1 [[6,6]]?"});
    scene.ledger.reset();
    scene.ledger = std::move(*DeliveryLedger::open(scene.store.path()));
    scene.ledger->put_plan("s3", 8, "{}", "s3://b");
    CHECK(scene.ranges() == "s3://a 2-6/4, s3://b 5-8/4");
  }
  SECTION("and before there was the reach of deliveries") {
    scene.store.tamper("DROP TABLE delivered_range; DROP TABLE delivery_reach");
    CHECK(scene.shipped({1, 5}) == Lines{"s3://a 1 [[1,1]]"});
  }
  SECTION("in between") {
    scene.store.tamper("UPDATE delivery SET cursor = 7, target = 's3://c'");
    CHECK(scene.shipped({3, 6, 9}) == Lines{"s3://a 1 s3://former/x []", "s3://c 1 [[6,6]]"});
    scene.deliver("s3://b", 9);
    CHECK(scene.ranges() == "s3://a 2-4/4, s3://c 5-7/7, s3://b 8-9/9");
  }
}

TEST_CASE("Ranges are put together by target for people") {
  Scene scene;
  scene.deliver("s3://a", 2);
  scene.deliver("s3://b", 5);
  scene.deliver("s3://a", 7);
  scene.deliver("s3://a", 8);
  scene.ledger->note_attempt("s3", 9, "s3://b");
  auto reader = Reader::open(scene.store.path());
  REQUIRE(reader.has_value());
  const auto targets = DeliveredRanges((*reader)->connection(), "s3").by_target();
  REQUIRE(targets.size() == 2);
  using Spans = std::vector<std::pair<std::int64_t, std::int64_t>>;
  CHECK(targets[0].target == "s3://a");
  CHECK(targets[0].records == Spans{{1, 2}, {6, 8}});
  CHECK_FALSE(targets[0].under_way);
  CHECK(targets[1].records == Spans{{3, 5}, {9, 9}});
  CHECK(targets[1].under_way);
  CHECK(DeliveredRanges((*reader)->connection(), "none").by_target().empty());
}
