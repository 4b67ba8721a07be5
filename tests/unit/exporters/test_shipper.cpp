#include "exporters/shipper.h"

#include <sys/resource.h>
#include <unistd.h>

#include <thread>

#include "tests/catch.h"
#include "tests/unit/exporters/shipping_fixture.h"

namespace invlog::exporters {
namespace {

using Call = FakeService::Call;
using std::chrono::milliseconds;

TEST_CASE("Everything arrives once, in order, in full batches") {
  ShippingFixture fixture;
  fixture.write(25);
  fixture.run(1);
  CHECK(fixture.service.events == numbers(1, 25));
  CHECK(fixture.service.batch_sizes == std::vector<std::size_t>{10, 10, 5});
  const storage::DeliveryState state = fixture.state();
  CHECK(state.cursor == 25);
  CHECK(state.delivered_records == 25);
  CHECK(state.delivered_batches == 3);
  CHECK(state.delivered_bytes == 2500);
  CHECK(state.target == "/invlog/records");
  CHECK(state.last_error.empty());
  CHECK(fixture.service.proofs == 1);
}

TEST_CASE("A batch that is not full waits until its oldest record has the age") {
  ShippingFixture fixture;
  fixture.run(1);  // nothing there
  fixture.write(3, fixture.now_us - 1'000'000);
  int waits = 0;
  fixture.on_wait = [&] {
    if (++waits == 3) {
      fixture.write(2, 0);
    }
  };
  fixture.restart();
  fixture.waits.clear();
  fixture.run(8);
  // Four seconds are left of five, and the clock is looked at every 500 ms.
  CHECK(fixture.service.events.empty());
  fixture.restart();
  fixture.run(1);
  CHECK(fixture.service.events == numbers(1, 5));
  CHECK(fixture.service.batch_sizes == std::vector<std::size_t>{5});
  CHECK(fixture.waited_ms() == 4000 + 500);
}

TEST_CASE("A batch grows while it waits, and leaves as soon as it is full") {
  ShippingFixture fixture;
  fixture.write(4, fixture.now_us);
  fixture.on_wait = [&] {
    if (fixture.waits.size() == 2) {
      fixture.write(7, 0);
    }
  };
  fixture.run(3);
  CHECK(fixture.service.events == numbers(1, 10));
  CHECK(fixture.waited_ms() == 1500);
  CHECK(fixture.destination->plans.size() == 2);  // one batch, continued, and the next
}

TEST_CASE("A record's age counts from its end, not from its start") {
  ShippingFixture fixture;
  storage::WriterOptions options = fixture.store.options();
  storage::Writer writer(options);
  storage::Record record = storage::record_with("{}", "{}");
  record.started_at_us = fixture.now_us - 600'000'000;
  record.duration_us = 600'000'000;
  storage::submit_and_wait(writer, std::move(record));
  writer.stop();
  fixture.run(9);
  CHECK(fixture.service.events.empty());
}

TEST_CASE("A record from the future waits no longer than the age either") {
  ShippingFixture fixture;
  fixture.write(1, fixture.now_us + 86'400'000'000);
  fixture.run(11);
  CHECK(fixture.service.events == numbers(1, 1));
}

TEST_CASE("With from_now what was there before stays there") {
  ShippingFixture fixture;
  fixture.write(5);
  fixture.shipper_options.from_now = true;
  fixture.run(1);
  fixture.write(2);
  fixture.run(1);
  CHECK(fixture.service.events == numbers(6, 7));

  SECTION("also after a restart, when the cursor is known") {
    fixture.write(3);
    fixture.restart();
    fixture.run(1);
    CHECK(fixture.service.events == numbers(6, 10));
  }
}

TEST_CASE("An idle shipper looks at the store twice a second and holds no snapshot") {
  ShippingFixture fixture;
  fixture.write(3);
  fixture.on_wait = [&] {
    // An open read transaction would keep the log from being emptied.
    CHECK(fixture.store.query("PRAGMA wal_checkpoint(TRUNCATE)") == "0");
  };
  fixture.run(6);
  CHECK(fixture.waits == std::vector<milliseconds>(6, milliseconds(500)));
}

TEST_CASE("Gaps that retention leaves are passed over") {
  ShippingFixture fixture;
  fixture.write(30);
  fixture.store.tamper("DELETE FROM record WHERE id <= 4 OR id BETWEEN 9 AND 17 OR id = 30");
  fixture.run(1);
  CHECK(fixture.state().cursor == 29);
  CHECK(fixture.service.events.size() == 16);
  CHECK(fixture.state().delivered_records == 16);
}

TEST_CASE("A damaged record becomes a dead letter and the rest goes on") {
  ShippingFixture fixture;
  fixture.write(12);
  fixture.store.tamper("UPDATE record SET checksum = checksum + 1 WHERE id IN (1, 5, 12)");
  fixture.run(1);
  CHECK(fixture.state().cursor == 12);
  CHECK(fixture.service.events == std::vector<std::int64_t>{2, 3, 4, 6, 7, 8, 9, 10, 11});
  CHECK(fixture.dead_records() == std::vector<std::int64_t>{1, 5, 12});
  CHECK_THAT(fixture.ledger().dead_letters()[1].reason,
             contains_text("record 5") && contains_text("checksum"));
  CHECK(fixture.state().delivered_records == 9);
}

TEST_CASE("A store of which nothing can be read is all dead letters, without one call") {
  ShippingFixture fixture;
  fixture.write(8);
  fixture.store.tamper("UPDATE chunk SET bytes = zeroblob(length(bytes))");
  fixture.run(11);
  CHECK(fixture.dead_records() == numbers(1, 8));
  CHECK(fixture.service.sends == 0);
  CHECK(fixture.state().cursor == 8);
}

TEST_CASE("Records that the destination refuses one by one become dead letters") {
  ShippingFixture fixture;
  fixture.write(10);
  fixture.service.refused = {2, 9};
  fixture.run(1);
  CHECK(fixture.dead_records() == std::vector<std::int64_t>{2, 9});
  CHECK(fixture.ledger().dead_letters()[0].reason == "too old");
  CHECK(fixture.state().delivered_records == 8);
  CHECK(fixture.state().cursor == 10);
}

TEST_CASE("A batch's origin says where it comes from") {
  ShippingFixture fixture;
  fixture.store.query("SELECT 1");
  storage::WriterOptions options = fixture.store.options();
  options.account_id = "";
  options.segment_bytes = 2000;
  {
    storage::Writer writer(options);
    for (int number = 0; number < 6; ++number) {
      storage::submit_and_wait(writer, storage::record_with(storage::noise(1500, 7), "{}"));
    }
  }
  std::string account;
  fixture.shipper_options.account_id = [&account] { return account; };
  fixture.run(1);
  REQUIRE(fixture.destination->origins.size() == 1);
  CHECK(fixture.destination->origins[0].store.account_id.empty());
  CHECK(fixture.destination->origins[0].store.region == "eu-central-1");
  CHECK(fixture.destination->origins[0].instance == fixture.ledger().instance());
  const std::string newest = "FROM segment WHERE closed_at IS NOT NULL ORDER BY id DESC LIMIT 1";
  CHECK(std::to_string(fixture.destination->origins[0].chain_segment) ==
        fixture.store.query("SELECT id " + newest));
  CHECK(fixture.destination->origins[0].chain_head ==
        fixture.store.query("SELECT lower(hex(chain)) " + newest));
  CHECK(fixture.destination->origins[0].chain_head.size() == 64);

  SECTION("a batch that still waits is begun again once the account is known") {
    storage::Writer writer(options);
    storage::Record record = storage::record_with("{}", "{}");
    record.started_at_us = fixture.now_us;
    storage::submit_and_wait(writer, std::move(record));
    fixture.run(2);
    account = "111122223333";
    fixture.run(20);
    CHECK(fixture.destination->origins.back().store.account_id == account);
    CHECK(fixture.service.copies(7) == 1);
  }
}

TEST_CASE("Nothing is delivered while the account may be known in a moment") {
  ShippingFixture fixture;
  storage::WriterOptions options = fixture.store.options();
  options.account_id = "";
  {
    storage::Writer writer(options);
    storage::submit_and_wait(writer, storage::record_with("{}", "{}"));
  }
  int asked = 0;
  fixture.shipper_options.account_id = [&]() -> tl::expected<std::string, aws::ServiceFailure> {
    if (++asked < 4) {
      return tl::unexpected(failure_with(aws::FailureKind::throttled, "STS is slow"));
    }
    return std::string("111122223333");
  };
  const auto result = fixture.drain();
  REQUIRE(result.error.empty());
  CHECK(result.records == 1);
  CHECK(fixture.service.proofs == 1);
  REQUIRE(fixture.destination->origins.size() == 1);
  CHECK(fixture.destination->origins[0].store.account_id == "111122223333");
  REQUIRE(!fixture.progress.empty());
  CHECK(fixture.progress[0].waiting_for == "STS is slow");
}

TEST_CASE("Plans: a batch that may have arrived is sent again as the same object") {
  FakeOptions options;
  options.name = "s3";
  options.plans = true;
  ShippingFixture fixture(options);
  fixture.write(15);
  bool fail = true;
  fixture.service.fault = [&](Call call, bool done) -> std::optional<aws::ServiceFailure> {
    if (call == Call::send && done && fail) {
      fail = false;
      return failure_with(aws::FailureKind::transient, "the answer got lost");
    }
    return std::nullopt;
  };

  SECTION("after a wait, from the batch at hand") {
    fixture.run(2);
    CHECK(fixture.destination->plans == std::vector<std::string>{"", ""});
  }
  SECTION("after a restart, from the ledger, although more fits in by now") {
    fixture.on_wait = [&] { fixture.write(5); };
    fixture.run(1);
    CHECK(fixture.state().planned_last == 10);
    CHECK(fixture.state().plan == R"({"target":"/invlog/records","batch":{"key":"batch-1"}})");
    fixture.on_wait = {};
    fixture.restart();
    fixture.options_.batch_records = 100;
    fixture.destination = std::make_unique<FakeDestination>(fixture.options_, fixture.service);
    fixture.run(1);
    CHECK(fixture.destination->plans.front() == R"({"key":"batch-1"})");
    CHECK(fixture.state().cursor == 20);
  }
  CHECK(fixture.service.objects.at("batch-1") == numbers(1, 10));
  CHECK_FALSE(fixture.service.overwritten_differently);
  for (const std::int64_t record : numbers(1, fixture.state().cursor)) {
    CHECK(fixture.service.copies(record) == 1);
  }
  CHECK(fixture.state().plan.empty());
  CHECK(fixture.state().planned_last == 0);
}

TEST_CASE("A plan is on record before the first byte and put only once") {
  FakeOptions options;
  options.name = "s3";
  options.plans = true;
  ShippingFixture fixture(options);
  fixture.write(3);
  int sends = 0;
  fixture.service.fault = [&](Call call, bool done) -> std::optional<aws::ServiceFailure> {
    if (call == Call::send && !done) {
      ++sends;
      CHECK(fixture.state().planned_last == 3);
      CHECK(fixture.state().cursor == 0);
      return failure_with(aws::FailureKind::transient);
    }
    return std::nullopt;
  };
  fixture.run(4);
  CHECK(sends == 4);
  CHECK(fixture.destination->plans.size() == 1);
}

TEST_CASE("A plan for another target is dropped") {
  FakeOptions options;
  options.name = "s3";
  options.plans = true;
  ShippingFixture fixture(options);
  fixture.write(15);
  fixture.service.fault = [&](Call call, bool done) -> std::optional<aws::ServiceFailure> {
    return call == Call::send && done ? std::optional(failure_with(aws::FailureKind::transient))
                                      : std::nullopt;
  };
  fixture.run(1);
  CHECK(fixture.state().planned_last == 10);
  fixture.restart();
  fixture.service.fault = {};
  fixture.options_.target = "s3://elsewhere";
  fixture.destination = std::make_unique<FakeDestination>(fixture.options_, fixture.service);
  fixture.run(1);
  CHECK(fixture.destination->plans.front().empty());
  CHECK(fixture.state().cursor == 15);
  CHECK(fixture.state().target == "s3://elsewhere");
  // What may have arrived stays on record.
  CHECK(fixture.store.query("SELECT group_concat(target || ' ' || first || '-' || last || '/' || "
                            "answered, ', ') FROM delivered_range") ==
        "/invlog/records 1-10/0, s3://elsewhere 1-15/15");
}

TEST_CASE("A plan for the same target by another name goes on") {
  FakeOptions options;
  options.name = "s3";
  options.plans = true;
  ShippingFixture fixture(options);
  fixture.write(15);
  fixture.service.fault = [&](Call call, bool done) -> std::optional<aws::ServiceFailure> {
    return call == Call::send && done ? std::optional(failure_with(aws::FailureKind::transient))
                                      : std::nullopt;
  };
  fixture.run(1);
  fixture.restart();
  fixture.service.fault = {};
  fixture.options_.other_name = fixture.options_.target;
  fixture.options_.target = "s3://moved";
  fixture.destination = std::make_unique<FakeDestination>(fixture.options_, fixture.service);
  fixture.run(1);
  CHECK_FALSE(fixture.destination->plans.front().empty());
  CHECK(fixture.state().cursor == 15);
  for (const std::int64_t record : numbers(1, 15)) {
    CHECK(fixture.service.copies(record) == 1);
  }
}

TEST_CASE("A batch whose cursor somebody else moved is not sent") {
  ShippingFixture fixture;
  fixture.write(4, fixture.now_us);
  fixture.on_wait = [&] {
    if (fixture.waits.size() == 4) {
      storage::DeliveryLedger::Delivered delivered;
      delivered.last = 3;
      delivered.records = 3;
      fixture.ledger().advance("cloudwatch_logs", delivered);
    }
  };
  fixture.run(20);
  CHECK(fixture.service.events == numbers(4, 4));
}

TEST_CASE("A batch of which retention takes records is begun anew, with its plan") {
  FakeOptions options;
  options.name = "s3";
  options.plans = true;
  ShippingFixture fixture(options);
  fixture.write(10);
  const Call when = GENERATE(Call::plan, Call::send);
  fixture.service.fault = [&](Call call, bool done) -> std::optional<aws::ServiceFailure> {
    if (call != when || done || fixture.state().cursor != 0) {
      return std::nullopt;
    }
    // As storage::Retention does.
    fixture.store.tamper(
        "DELETE FROM record WHERE id <= 4; UPDATE delivery SET cursor = 4, planned_last = 0, plan "
        "= ''");
    return call == Call::send ? std::optional(failure_with(aws::FailureKind::transient))
                              : std::nullopt;
  };
  fixture.run(2);
  CHECK(fixture.state().cursor == 10);
  CHECK(fixture.state().planned_last == 0);
  CHECK(fixture.service.objects.size() == 1);
  CHECK(fixture.service.objects.begin()->second == numbers(5, 10));
  CHECK_FALSE(fixture.service.overwritten_differently);
}

TEST_CASE(
    "A batch that arrives although retention took it meanwhile does not set the cursor back") {
  FakeOptions options;
  options.name = "s3";
  options.plans = true;
  ShippingFixture fixture(options);
  fixture.write(15);
  fixture.service.fault = [&](Call call, bool done) -> std::optional<aws::ServiceFailure> {
    if (call == Call::send && !done && fixture.state().cursor == 0) {
      fixture.store.tamper(
          "DELETE FROM record WHERE id <= 12; UPDATE delivery SET cursor = 12, planned_last = 0, "
          "plan = ''");
    }
    return std::nullopt;
  };
  fixture.run(1);
  CHECK(fixture.state().cursor == 15);
  CHECK(fixture.service.objects.at("batch-1") == numbers(1, 10));
  CHECK(fixture.service.objects.at("batch-2") == numbers(13, 15));
}

TEST_CASE("While another process has the lock nothing is sent, and then it is our turn") {
  ShippingFixture fixture;
  fixture.write(3);
  auto lock = storage::try_delivery_lock(fixture.store.path(), "cloudwatch_logs");
  REQUIRE(lock);
  fixture.on_wait = [&] {
    if (fixture.waits.size() == 3) {
      CHECK(fixture.service.sends == 0);
      lock.reset();
    }
  };
  fixture.run(4);
  CHECK(fixture.service.events == numbers(1, 3));
}

TEST_CASE("No lock is held while waiting") {
  ShippingFixture fixture;
  fixture.write(3);
  fixture.service.fault = [](Call call, bool) -> std::optional<aws::ServiceFailure> {
    return call == Call::send ? std::optional(failure_with(aws::FailureKind::transient))
                              : std::nullopt;
  };
  fixture.on_wait = [&] {
    CHECK(storage::try_delivery_lock(fixture.store.path(), "cloudwatch_logs"));
  };
  fixture.run(4);
  CHECK(fixture.service.sends == 4);
}

TEST_CASE("stop() ends a wait at once, and the delivering thread has stepped back") {
  ShippingFixture fixture;
  fixture.write(3);
  fixture.shipper_options.wait = {};
  fixture.shipper_options.poll = std::chrono::hours(1);
  const int own = ::getpriority(PRIO_PROCESS, 0);
  std::promise<int> niceness;
  fixture.service.fault = [&](Call call, bool done) -> std::optional<aws::ServiceFailure> {
    if (call == Call::send && done) {
      niceness.set_value(::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid())));
    }
    return std::nullopt;
  };
  Shipper& shipper = fixture.shipper();
  std::thread thread([&shipper] { shipper.run(); });
  CHECK(niceness.get_future().get() == std::min(own + 10, 19));
  shipper.stop();
  thread.join();  // would take an hour
  CHECK(::getpriority(PRIO_PROCESS, 0) == own);
  CHECK(fixture.state().cursor == 3);
}

}  // namespace
}  // namespace invlog::exporters
