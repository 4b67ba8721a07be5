#include "exporters/drain.h"

#include "tests/catch.h"
#include "tests/unit/exporters/shipping_fixture.h"

namespace invlog::exporters {
namespace {

using aws::FailureKind;
using Call = FakeService::Call;
using Fault = std::optional<aws::ServiceFailure>;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::int64_t kHourUs = 3'600'000'000;

TEST_CASE("Draining delivers all that is there, without waiting for company, and returns") {
  ShippingFixture fixture;
  fixture.write(25, fixture.now_us);
  const auto result = fixture.drain();
  REQUIRE(result.error.empty());
  CHECK(result.records == 25);
  CHECK(result.batches == 3);
  CHECK(result.bytes == 2500);
  CHECK(result.line_bytes > 0);
  CHECK(result.dead_letters == 0);
  CHECK(fixture.waits.empty());
  REQUIRE(fixture.progress.size() == 3);
  CHECK(fixture.progress[0].done == 10);
  CHECK(fixture.progress[0].total == 25);
  CHECK(fixture.progress[0].bytes == 1000);
  CHECK(fixture.progress[2].done == 25);
}

TEST_CASE("An empty store is drained without a call") {
  ShippingFixture fixture;
  fixture.write(2);
  REQUIRE(fixture.drain().error.empty());
  const int proofs = fixture.service.proofs;
  fixture.restart();
  const auto result = fixture.drain();
  REQUIRE(result.error.empty());
  CHECK(result.records == 0);
  CHECK(fixture.service.proofs == proofs);
}

TEST_CASE("What comes while draining is not chased") {
  ShippingFixture fixture;
  fixture.write(15);
  bool wrote = false;
  fixture.service.fault = [&](Call call, bool done) -> Fault {
    if (call == Call::send && done && !wrote) {
      wrote = true;
      fixture.write(30);
    }
    return std::nullopt;
  };
  const auto result = fixture.drain();
  REQUIRE(result.error.empty());
  CHECK(result.records == 15);
  CHECK(fixture.service.events == numbers(1, 15));
}

TEST_CASE("Draining ends with the cause when it cannot pass by itself") {
  ShippingFixture fixture;
  fixture.write(5);
  for (const FailureKind kind :
       {FailureKind::redirected, FailureKind::denied, FailureKind::credentials}) {
    for (const Call at : {Call::prove, Call::send}) {
      fixture.restart();
      fixture.service.fault = [kind, at](Call call, bool) -> Fault {
        return call == at ? Fault(failure_with(kind)) : std::nullopt;
      };
      const auto result = fixture.drain();
      REQUIRE_FALSE(result.error.empty());
      CHECK(result.error == std::string(aws::name_of(kind)) + " on purpose");
    }
  }
  CHECK(fixture.waits.empty());
  CHECK(fixture.state().cursor == 0);
}

TEST_CASE("Draining waits out what passes, says so, and gives up when told to") {
  ShippingFixture fixture;
  fixture.write(5);
  int failures = 6;
  fixture.service.fault = [&](Call call, bool) -> Fault {
    return call == Call::send && failures-- > 0
               ? Fault(failure_with(FailureKind::transient, "reset by peer"))
               : std::nullopt;
  };
  SECTION("it passes") {
    const auto result = fixture.drain(minutes(10));
    REQUIRE(result.error.empty());
    CHECK(result.records == 5);
    CHECK(fixture.progress[0].waiting_for == "reset by peer");
    CHECK(fixture.progress.back().waiting_for.empty());
  }
  SECTION("it does not") {
    failures = 1'000'000;
    const auto result = fixture.drain(minutes(10));
    REQUIRE_FALSE(result.error.empty());
    CHECK_THAT(result.error,
               contains_text("gave up after 10 min") && contains_text("reset by peer"));
    CHECK(fixture.waited_ms() == 600'000);
  }
  SECTION("it does not, and the clock is set back and forth meanwhile") {
    failures = 1'000'000;
    fixture.on_wait = [&] { fixture.now_us += fixture.waits.size() % 2 == 0 ? kHourUs : -kHourUs; };
    CHECK_THAT(fixture.drain(minutes(10)).error, contains_text("gave up after 10 min"));
    CHECK(fixture.waited_ms() == 600'000);
  }
}

TEST_CASE("Draining next to another process waits its turn and counts what that one delivered") {
  ShippingFixture fixture;
  fixture.write(25);
  auto lock = storage::try_delivery_lock(fixture.store.path(), "cloudwatch_logs");
  fixture.on_wait = [&] {
    if (fixture.waits.size() == 3) {
      storage::DeliveryLedger::Delivered delivered;
      delivered.last = 20;
      delivered.records = 20;
      fixture.ledger().advance("cloudwatch_logs", delivered);
      lock.reset();
    }
  };
  const auto result = fixture.drain();
  REQUIRE(result.error.empty());
  CHECK(result.records == 5);
  CHECK_THAT(fixture.progress[0].waiting_for, contains_text("another invlog process"));
  CHECK(fixture.progress.back().done == 25);
  CHECK(fixture.progress.back().total == 25);
}

TEST_CASE("stop() ends draining with what is left") {
  ShippingFixture fixture;
  fixture.write(25);
  fixture.service.fault = [&](Call call, bool done) -> Fault {
    if (call == Call::send && done) {
      fixture.shipper().stop();
    }
    return std::nullopt;
  };
  const auto result = fixture.drain();
  REQUIRE_FALSE(result.error.empty());
  CHECK_THAT(result.error, contains_text("15 records still to deliver"));
  CHECK(fixture.state().cursor == 10);
}

TEST_CASE("Draining that gives up during an attempt says what had no answer") {
  ShippingFixture fixture;
  fixture.write(5);
  bool stopped = false;
  int sends = 0;
  fixture.service.fault = [&](Call call, bool) -> Fault {
    if (call != Call::send) {
      return std::nullopt;
    }
    if (++sends == 1) {
      return failure_with(FailureKind::transient, "reset by peer");
    }
    if (stopped) {
      fixture.shipper().stop();
    }
    return failure_with(FailureKind::cancelled, "PutLogEvents: host:443: cancelled");
  };
  SECTION("when the time is over") {
    CHECK(fixture.drain(minutes(10)).error ==
          "gave up after 10 min without success, waiting for an answer: PutLogEvents: host:443: "
          "cancelled; before that: reset by peer");
  }
  SECTION("but not when it was stopped") {
    stopped = true;
    CHECK_THAT(fixture.drain(minutes(10)).error, contains_text("stopped with 5 records"));
  }
  SECTION("nor where there is no such time") {
    CHECK_THAT(fixture.drain().error, contains_text("stopped with 5 records"));
  }
  CHECK(fixture.state().cursor == 0);
}

TEST_CASE("Draining a store that is not there says so at once") {
  ShippingFixture fixture;
  const auto result = fixture.drain();
  REQUIRE_FALSE(result.error.empty());
  CHECK_THAT(result.error, contains_text("No such file"));
  CHECK(fixture.waits.empty());
}

TEST_CASE("What was done before the end that failed is told, refused records apart") {
  ShippingFixture fixture;
  fixture.write(25);
  fixture.service.refused = {3};
  fixture.service.fault = [&](Call call, bool) -> Fault {
    return call == Call::send && fixture.service.sends > 2
               ? Fault(failure_with(FailureKind::denied))
               : std::nullopt;
  };
  const auto result = fixture.drain();
  CHECK(result.error == "denied on purpose");
  CHECK(result.records == 19);
  CHECK(result.dead_letters == 1);
  CHECK(result.batches == 2);
  CHECK(result.bytes == 1900);
}

TEST_CASE("Dead letters count as dealt with") {
  ShippingFixture fixture;
  fixture.write(12);
  fixture.service.refused = {3};
  fixture.service.poison = {7};
  const auto result = fixture.drain();
  REQUIRE(result.error.empty());
  CHECK(result.records == 10);
  CHECK(result.dead_letters == 2);
  CHECK(fixture.progress.back().done == 12);
}

}  // namespace
}  // namespace invlog::exporters
