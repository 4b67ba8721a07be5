#include "exporters/dead_letter_retry.h"

#include <utility>

#include "exporters/shipper.h"
#include "tests/catch.h"
#include "tests/unit/exporters/shipping_fixture.h"

namespace invlog::exporters {
namespace {

using aws::FailureKind;
using Call = FakeService::Call;
using Fault = std::optional<aws::ServiceFailure>;

FakeOptions with_plans() {
  FakeOptions options;
  options.name = "s3";
  options.target = "s3://records-eu";
  options.plans = true;
  return options;
}

// Delivers `count` records of which these are refused, and asks for them again.
void refuse_and_ask(ShippingFixture& fixture, int count, const std::set<std::int64_t>& records) {
  fixture.write(count);
  fixture.service.refused = records;
  REQUIRE(fixture.drain().error.empty());
  REQUIRE(fixture.dead_records().size() == records.size());
  std::vector<std::int64_t> ids;
  for (const storage::DeadLetter& letter : fixture.ledger().dead_letters()) {
    ids.push_back(letter.id);
  }
  REQUIRE(fixture.ledger().retry_dead_letters(ids) == static_cast<std::int64_t>(records.size()));
  fixture.service.sends = 0;
  fixture.service.batch_sizes.clear();
}

TEST_CASE("Dead letters that are asked for go in batches of their own") {
  ShippingFixture fixture;
  refuse_and_ask(fixture, 20, {2, 3, 17});
  fixture.service.refused.clear();
  const storage::DeliveryState before = fixture.state();
  const auto result = fixture.drain();
  REQUIRE(result.error.empty());
  CHECK(fixture.state().delivered_batches == before.delivered_batches + 1);
  CHECK(fixture.state().delivered_bytes > before.delivered_bytes);
  CHECK(result.records == 3);
  CHECK(fixture.service.batch_sizes == std::vector<std::size_t>{3});
  CHECK(fixture.dead_records().empty());
  CHECK(fixture.service.events.size() == 20);
  CHECK(fixture.state().cursor == 20);
  CHECK(fixture.progress.back().total == 3);
  CHECK(fixture.progress.back().done == 3);
}

TEST_CASE("A retry that is refused stays a dead letter with the new reason, and is not repeated") {
  ShippingFixture fixture;
  refuse_and_ask(fixture, 10, {2, 3, 4, 5});
  fixture.service.refused = {2};
  fixture.service.poison = {4};
  const auto result = fixture.drain();
  REQUIRE(result.error.empty());
  CHECK(result.records == 2);
  CHECK(result.dead_letters == 2);
  CHECK(fixture.dead_records() == std::vector<std::int64_t>{2, 4});
  CHECK(fixture.ledger().dead_letters()[0].reason == "too old");
  CHECK(fixture.ledger().dead_letters()[1].reason == "poisoned");
  CHECK(fixture.ledger().requested_retries("cloudwatch_logs", 10).empty());
  CHECK(fixture.service.copies(3) == 1);
  CHECK(fixture.service.copies(5) == 1);
  CHECK(fixture.waits.empty());
}

TEST_CASE("A retry without an answer is on record as what may have arrived") {
  ShippingFixture fixture;
  refuse_and_ask(fixture, 10, {2});
  fixture.service.refused.clear();
  fixture.restart();
  fixture.options_.target = "/other/group";
  fixture.destination = std::make_unique<FakeDestination>(fixture.options_, fixture.service);
  fixture.service.fault = [](Call call, bool done) {
    return call == Call::send && done ? Fault(failure_with(FailureKind::transient)) : Fault();
  };
  fixture.run(1);
  const auto ranges = [&fixture] {
    return fixture.store.query(
        "SELECT group_concat(target || ' ' || first || '-' || last || '/' || answered, ', ') FROM "
        "delivered_range");
  };
  CHECK(ranges() == "/invlog/records 1-10/10, /other/group 2-2/1");
  fixture.service.fault = {};
  REQUIRE(fixture.drain().error.empty());
  CHECK(ranges() == "/invlog/records 1-10/10, /other/group 2-2/2");
}

TEST_CASE("What was read for a retry before an erasure is not sent after it") {
  ShippingFixture fixture;
  refuse_and_ask(fixture, 10, {2, 3});
  fixture.service.refused.clear();
  const std::size_t begun = fixture.destination->origins.size();
  bool erased = false;
  fixture.service.fault = [&](Call call, bool) -> Fault {
    if (call == Call::add && !std::exchange(erased, true)) {
      fixture.ledger().add_event("erased", "{}");
    }
    return std::nullopt;
  };
  REQUIRE(fixture.drain().error.empty());
  CHECK(erased);
  CHECK(fixture.destination->origins.size() == begun + 2);
  CHECK(fixture.service.batch_sizes == std::vector<std::size_t>{2});
  CHECK(fixture.dead_records().empty());
  CHECK(fixture.waits.empty());
}

TEST_CASE("A running shipper retries, too, and new records are served in between") {
  ShippingFixture fixture;
  refuse_and_ask(fixture, 20, {1, 2});
  fixture.service.refused.clear();
  fixture.write(5);
  fixture.run(1);
  CHECK(fixture.dead_records().empty());
  CHECK(fixture.state().cursor == 25);
}

TEST_CASE("Where batches have plans each retried record is an object of its own") {
  ShippingFixture fixture(with_plans());
  refuse_and_ask(fixture, 10, {2, 3, 9});
  fixture.service.refused.clear();
  int lost = 2;
  fixture.service.fault = [&](Call call, bool done) -> Fault {
    return call == Call::send && done && lost-- > 0
               ? Fault(failure_with(FailureKind::transient, "the answer got lost"))
               : std::nullopt;
  };
  SECTION("also if another is asked for before the lost answer's retry") {
    fixture.run(1);
    CHECK(fixture.service.sends == 1);
    fixture.restart();
    fixture.ledger().drop_dead_letters({fixture.ledger().dead_letters()[0].id});
    CHECK(fixture.dead_records() == std::vector<std::int64_t>{3, 9});
  }
  SECTION("after a wait") {}
  fixture.run(5);
  CHECK(fixture.dead_records().empty());
  for (const std::int64_t record : {2, 3, 9}) {
    CHECK(fixture.service.copies(record) == 1);
    CHECK(fixture.service.objects.count("retry-" + std::to_string(record)) == 1);
  }
  CHECK(fixture.state().plan.empty());
}

TEST_CASE("A retry of a damaged or removed record says why it is of no use") {
  ShippingFixture fixture;
  refuse_and_ask(fixture, 10, {2, 3, 4});
  fixture.service.refused.clear();
  fixture.store.tamper(
      "UPDATE record SET checksum = checksum + 1 WHERE id = 2; DELETE FROM record WHERE id = 3");
  REQUIRE(fixture.drain().error.empty());
  CHECK(fixture.dead_records() == std::vector<std::int64_t>{2, 3});
  CHECK_THAT(fixture.ledger().dead_letters()[0].reason, contains_text("checksum"));
  CHECK_THAT(fixture.ledger().dead_letters()[1].reason,
             contains_text("does not have this record any more"));
  CHECK(fixture.service.copies(4) == 1);
}

TEST_CASE("A retry that fails for the time being is tried again") {
  ShippingFixture fixture;
  refuse_and_ask(fixture, 10, {2});
  fixture.service.refused.clear();
  int failures = 3;
  fixture.service.fault = [&](Call call, bool) -> Fault {
    return call == Call::send && failures-- > 0 ? Fault(failure_with(FailureKind::throttled))
                                                : std::nullopt;
  };
  REQUIRE(fixture.drain().error.empty());
  CHECK(fixture.dead_records().empty());
  CHECK(fixture.service.copies(2) == 1);
}

TEST_CASE("More dead letters than a batch takes go in several") {
  ShippingFixture fixture;
  std::set<std::int64_t> all;
  for (const std::int64_t record : numbers(1, 35)) {
    all.insert(record);
  }
  refuse_and_ask(fixture, 35, all);
  fixture.service.refused.clear();
  fixture.run(1);
  CHECK(fixture.service.batch_sizes == std::vector<std::size_t>{10, 10, 10, 5});
  CHECK(fixture.service.events == numbers(1, 35));
}

}  // namespace
}  // namespace invlog::exporters
