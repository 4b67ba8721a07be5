#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sqlite3.h>

#include <sstream>

#include "exporters/shipper.h"
#include "tests/catch.h"
#include "tests/unit/exporters/shipping_fixture.h"

namespace invlog::exporters {
namespace {

using aws::FailureKind;
using Call = FakeService::Call;
using std::chrono::milliseconds;
using std::chrono::seconds;

using Fault = std::optional<aws::ServiceFailure>;

// The first `times` sends fail with `failure`.
std::function<Fault(Call, bool)> sends_fail(int times, aws::ServiceFailure failure) {
  return [times, failure](Call call, bool done) mutable -> Fault {
    return call == Call::send && !done && times-- > 0 ? Fault(failure) : std::nullopt;
  };
}

// What is logged while it lives.
class CapturedLog {
 public:
  CapturedLog() : before_(spdlog::default_logger()) {
    auto logger = std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_));
    logger->set_pattern("%l %v");
    spdlog::set_default_logger(logger);
  }
  ~CapturedLog() { spdlog::set_default_logger(before_); }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;

  std::string text() const { return text_.str(); }
  int count(const std::string& what) const {
    int found = 0;
    const std::string all = text();
    for (auto at = all.find(what); at != std::string::npos; at = all.find(what, at + 1)) {
      ++found;
    }
    return found;
  }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> before_;
};

TEST_CASE("What passes is tried again with growing pauses, never over a minute, for ever") {
  ShippingFixture fixture;
  fixture.write(3);
  fixture.service.fault = sends_fail(200, failure_with(FailureKind::transient, "reset by peer"));
  fixture.run(201);
  CHECK(fixture.service.events == numbers(1, 3));
  CHECK(fixture.service.sends == 201);
  CHECK(fixture.waits[0] < milliseconds(1000));
  CHECK(fixture.waits[3] > fixture.waits[0]);
  for (const milliseconds pause : fixture.waits) {
    CHECK(pause <= seconds(60));
    CHECK(pause >= milliseconds(1));
  }
  CHECK(fixture.waits[150] == fixture.waits[100]);
  CHECK(fixture.state().retries > 0);
  CHECK(fixture.state().last_error.empty());
}

TEST_CASE("The ledger says what is wrong while it is") {
  ShippingFixture fixture;
  fixture.write(3);
  fixture.service.fault = sends_fail(200, failure_with(FailureKind::transient, "reset by peer"));
  fixture.run(5);
  CHECK(fixture.state().last_error == "reset by peer");
  CHECK(fixture.state().cursor == 0);
  CHECK(fixture.state().last_error_us > 0);
}

TEST_CASE("A proof that fails while nothing waits is taken back once it succeeds") {
  ShippingFixture fixture;
  fixture.write(1);
  fixture.run(1);
  REQUIRE(fixture.service.sends == 1);
  fixture.restart();
  int failures = 2;
  fixture.service.fault = [&failures](Call call, bool) -> Fault {
    return call == Call::prove && failures-- > 0
               ? Fault(failure_with(FailureKind::transient, "not proven"))
               : std::nullopt;
  };
  CapturedLog log;
  fixture.run(2);
  CHECK(fixture.state().last_error == "not proven");
  SECTION("though nothing is delivered") {
    fixture.run(1);
    CHECK_THAT(log.text(), contains_text("possible again after"));
  }
  SECTION("though what came meanwhile waits for company") {
    fixture.write(1, fixture.now_us);
    fixture.run(1);
  }
  CHECK(fixture.service.sends == 1);
  CHECK(fixture.state().last_error.empty());
  CHECK(fixture.state().last_error_us == 0);
}

TEST_CASE("An error of before the start is taken back where nothing waits") {
  ShippingFixture fixture;
  fixture.write(3);
  fixture.run(1);
  fixture.ledger().note_failure("cloudwatch_logs", "reset by peer", true);
  fixture.restart();
  SECTION("once the target is proven") {
    fixture.run(1);
    CHECK(fixture.state().last_error.empty());
  }
  SECTION("not before") {
    fixture.service.fault = [](Call call, bool) {
      return call == Call::prove ? Fault(failure_with(FailureKind::transient)) : Fault();
    };
    fixture.run(3);
    CHECK(fixture.state().last_error == "transient on purpose");
  }
}

TEST_CASE("A dead letter that arrives after a failure takes the failure back") {
  ShippingFixture fixture;
  fixture.write(3);
  fixture.service.refused = {2};
  fixture.run(1);
  REQUIRE(fixture.ledger().retry_dead_letters({fixture.ledger().dead_letters()[0].id}) == 1);
  fixture.service.refused.clear();
  fixture.service.fault = sends_fail(1, failure_with(FailureKind::throttled));
  fixture.run(1);
  CHECK(fixture.state().last_error == "throttled on purpose");
  fixture.run(1);
  CHECK(fixture.dead_records().empty());
  CHECK(fixture.state().last_error.empty());
  CHECK(fixture.state().last_error_us == 0);
}

TEST_CASE("A process that holds the lock for minutes and gets nowhere is told of, once") {
  ShippingFixture fixture;
  fixture.write(3);
  auto lock = storage::try_delivery_lock(fixture.store.path(), "cloudwatch_logs");
  REQUIRE(lock);
  const int per_minute = 120;  // waits of half a second
  CapturedLog log;
  fixture.run(3 * per_minute);
  CHECK(fixture.state().last_error.empty());
  CHECK(log.count("warning") == 0);
  fixture.run(10);
  CHECK(fixture.state().last_error ==
        "another invlog process is delivering to cloudwatch_logs (/invlog/records), for 3 minutes");
  fixture.run(2 * per_minute);
  CHECK_THAT(fixture.state().last_error, contains_text("for 5 minutes"));
  CHECK(log.count("warning") == 1);
  CHECK(log.count("another invlog process is delivering to cloudwatch_logs") == 1);
  CHECK(fixture.state().retries == 0);
  CHECK(fixture.service.sends == 0);

  SECTION("until it goes on") {
    lock.reset();
    fixture.run(1);
    CHECK(fixture.service.events == numbers(1, 3));
    CHECK_THAT(log.text(), contains_text("delivered again after"));
  }
  SECTION("until the other one has delivered everything") {
    storage::DeliveryLedger::Delivered delivered;
    delivered.last = 3;
    delivered.records = 3;
    fixture.ledger().advance("cloudwatch_logs", delivered);
    lock.reset();
    fixture.run(1);
    CHECK(fixture.service.sends == 0);
  }
  CHECK(fixture.state().last_error.empty());
}

TEST_CASE("A process that holds the lock and gets on is no fault") {
  ShippingFixture fixture;
  fixture.write(20);
  const auto lock = storage::try_delivery_lock(fixture.store.path(), "cloudwatch_logs");
  REQUIRE(lock);
  CapturedLog log;
  for (std::int64_t record = 1; record <= 10; ++record) {
    fixture.run(120);
    storage::DeliveryLedger::Delivered delivered;
    delivered.last = record;
    delivered.records = 1;
    fixture.ledger().advance("cloudwatch_logs", delivered);
  }
  CHECK(fixture.state().last_error.empty());
  CHECK(log.count("warning") == 0);
}

TEST_CASE("Retry-After is a floor") {
  ShippingFixture fixture;
  fixture.write(3);
  aws::ServiceFailure failure = failure_with(FailureKind::throttled);
  failure.retry_after = seconds(40);
  fixture.service.fault = sends_fail(1, failure);
  fixture.run(2);
  CHECK(fixture.waits[0] == seconds(40));
  CHECK(fixture.service.events == numbers(1, 3));
}

TEST_CASE("Throttling waits longer from the start") {
  const auto first_wait = [](FailureKind kind) {
    ShippingFixture fixture;
    fixture.write(1);
    fixture.service.fault = sends_fail(1, failure_with(kind));
    fixture.run(1);
    return fixture.waits[0];
  };
  CHECK(first_wait(FailureKind::throttled) >= 4 * first_wait(FailureKind::transient));
  CHECK(first_wait(FailureKind::clock) == first_wait(FailureKind::transient));
}

TEST_CASE("Without credentials delivery pauses, says so and drops nothing") {
  ShippingFixture fixture;
  fixture.write(3);
  fixture.service.fault =
      sends_fail(20, failure_with(FailureKind::credentials, "the token has expired"));
  fixture.run(20);
  CHECK(fixture.state().last_error == "the token has expired");
  CHECK(fixture.state().cursor == 0);
  for (const milliseconds pause : fixture.waits) {
    CHECK(pause <= seconds(60));
  }
  fixture.run(1);
  CHECK(fixture.service.events == numbers(1, 3));
  CHECK(fixture.dead_records().empty());
}

TEST_CASE("Nothing leaves before the target is proven, and a refusal is an event once") {
  ShippingFixture fixture;
  fixture.write(3);
  bool elsewhere = true;
  fixture.service.fault = [&](Call call, bool) -> Fault {
    return call == Call::prove && elsewhere
               ? Fault(failure_with(FailureKind::redirected, "records-eu is in us-east-1"))
               : std::nullopt;
  };
  const auto events = [&fixture] {
    return fixture.store.query("SELECT count(*) FROM event WHERE kind = 'delivery-refused'");
  };
  CapturedLog log;
  fixture.run(30);
  CHECK(fixture.service.sends == 0);
  CHECK(fixture.destination->plans.empty());
  CHECK(fixture.waits == std::vector<milliseconds>(30, seconds(60)));
  CHECK(events() == "1");
  CHECK(fixture.store.query("SELECT details FROM event WHERE kind = 'delivery-refused'") ==
        R"({"destination":"cloudwatch_logs","target":"/invlog/records",)"
        R"("reason":"records-eu is in us-east-1"})");
  CHECK(fixture.state().last_error == "records-eu is in us-east-1");
  CHECK(log.count("records-eu is in us-east-1") == 1);

  SECTION("a restart does not repeat it") {
    fixture.restart();
    fixture.run(2);
    CHECK(events() == "1");
  }
  SECTION("the log repeats it every hour") {
    fixture.run(60);
    CHECK(log.count("records-eu is in us-east-1") == 2);
    CHECK(events() == "1");
  }
  SECTION("once the target is right everything arrives") {
    elsewhere = false;
    fixture.run(1);
    CHECK(fixture.service.events == numbers(1, 3));
  }
}

TEST_CASE("After a redirect, a missing permission or a missing stream the target is proven again") {
  for (const FailureKind kind :
       {FailureKind::redirected, FailureKind::denied, FailureKind::not_found}) {
    ShippingFixture fixture;
    fixture.write(3);
    fixture.service.fault = sends_fail(1, failure_with(kind));
    fixture.run(2);
    CHECK(fixture.service.proofs == 2);
    CHECK(fixture.service.events == numbers(1, 3));
    CHECK((fixture.waits[0] == seconds(60)) == (kind != FailureKind::not_found));
  }
}

TEST_CASE(
    "One poisoned record is found, set aside with the service's words, and the rest arrives") {
  FakeOptions options;
  options.batch_records = 64;
  ShippingFixture fixture(options);
  fixture.write(200);
  fixture.service.poison = {77};
  fixture.run(1);
  CHECK(fixture.dead_records() == std::vector<std::int64_t>{77});
  CHECK(fixture.ledger().dead_letters()[0].reason == "poisoned");
  CHECK(fixture.state().cursor == 200);
  CHECK(fixture.service.events.size() == 199);
  CHECK(fixture.service.sends < 20);
  CHECK(fixture.waits.size() == 1);  // the search does not wait
}

TEST_CASE("Poison beside a damaged record") {
  ShippingFixture fixture;
  fixture.write(3);
  fixture.store.tamper("UPDATE record SET checksum = checksum + 1 WHERE id IN (1, 3)");
  fixture.service.poison = {2};
  fixture.service.checks = {{"logs:PutLogEvents", true, "ok"}};
  fixture.run(1);
  CHECK(fixture.state().cursor == 3);
  CHECK(fixture.dead_records().size() == 3);
}

TEST_CASE("Where everything is refused the configuration is suspected and nothing is given up") {
  ShippingFixture fixture;
  fixture.write(20);
  for (const std::int64_t record : numbers(1, 20)) {
    fixture.service.poison.insert(record);
  }
  fixture.run(50);
  CHECK(fixture.dead_records().empty());
  CHECK(fixture.state().cursor == 0);
  CHECK_THAT(fixture.state().last_error,
             contains_text("poisoned") && contains_text("configuration"));
  CHECK(fixture.waits == std::vector<milliseconds>(50, seconds(60)));

  SECTION("nor after restarts") {
    for (int start = 0; start < 4; ++start) {
      fixture.restart();
      fixture.run(2);
    }
    CHECK(fixture.dead_records().empty());
  }
  SECTION("it goes on when the fault is mended") {
    fixture.service.poison.clear();
    fixture.run(2);
    CHECK(fixture.service.events == numbers(1, 20));
    CHECK(fixture.dead_records().empty());
  }
  SECTION("it goes on, too, if the destination takes what doctor sends: then it is the records") {
    fixture.service.checks = {{"logs:PutLogEvents", true, "ok"}};
    fixture.service.poison = {1, 2, 3, 4, 5, 6};
    fixture.run(5);
    CHECK(fixture.dead_records() == numbers(1, 6));
    CHECK(fixture.service.events == numbers(7, 20));
  }
  SECTION("what records do without proves nothing against them") {
    Destination::Check heads{"logs:PutLogEvents on the stream of heads", false, "no"};
    heads.for_records = false;
    fixture.service.checks = {{"logs:PutLogEvents", true, "ok"}, heads};
    fixture.service.poison = {1, 2, 3, 4};
    fixture.run(5);
    CHECK(fixture.dead_records() == numbers(1, 4));
  }
  SECTION("a check that fails proves nothing") {
    fixture.service.checks = {{"a", true, ""}, {"b", false, ""}};
    fixture.run(5);
    CHECK(fixture.state().cursor == 0);
  }
}

TEST_CASE("A planned batch that is refused is never split") {
  FakeOptions options;
  options.name = "s3";
  options.plans = true;
  ShippingFixture fixture(options);
  fixture.write(10);
  fixture.service.poison = {4};
  fixture.run(5);
  CHECK(fixture.service.batch_sizes == std::vector<std::size_t>(5, 10));
  CHECK(fixture.waits == std::vector<milliseconds>(5, seconds(60)));
  CHECK(fixture.dead_records().empty());
  CHECK_THAT(fixture.state().last_error, contains_text("configuration"));
  fixture.service.poison.clear();
  fixture.run(2);
  CHECK(fixture.service.objects.size() == 1);
}

TEST_CASE("A fault of our own is waited out, too") {
  ShippingFixture fixture;
  fixture.write(3);
  int faults = 3;
  fixture.service.fault = [&](Call call, bool) -> Fault {
    if (call == Call::add && faults-- > 0) {
      throw std::runtime_error("compressor failed");
    }
    return std::nullopt;
  };
  fixture.run(1);
  CHECK_THAT(fixture.state().last_error, contains_text("compressor failed"));
  fixture.run(10);
  CHECK(fixture.service.events == numbers(1, 3));
}

TEST_CASE("A ledger that cannot be written is waited for, and what arrived is not sent again") {
  ShippingFixture fixture;
  fixture.write(3);
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open(fixture.store.path().c_str(), &other) == SQLITE_OK);
  // A trigger stands for the disk that is full: it strikes at the one statement.
  fixture.run(0);
  REQUIRE(sqlite3_exec(other,
                       "CREATE TRIGGER full BEFORE UPDATE OF cursor ON delivery BEGIN SELECT "
                       "raise(ABORT, 'disk full'); END",
                       nullptr, nullptr, nullptr) == SQLITE_OK);
  fixture.write(2);
  CapturedLog log;
  fixture.run(12);
  CHECK(fixture.service.sends == 2);
  CHECK(fixture.state().cursor == 3);
  CHECK(log.count("disk full") <= 1 + fixture.waited_ms() / 60000);
  CHECK(log.count("disk full") >= 1);
  REQUIRE(sqlite3_exec(other, "DROP TRIGGER full", nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(other);
  fixture.run(2);
  CHECK(fixture.state().cursor == 5);
  CHECK(fixture.service.events == numbers(1, 5));
  CHECK(fixture.service.sends == 2);
}

TEST_CASE("A store that is not there yet is waited for") {
  ShippingFixture fixture;
  CapturedLog log;
  fixture.run(20);
  CHECK(log.count("waits for the store") >= 1);
  CHECK(log.count("waits for the store") <= 1 + fixture.waited_ms() / 60000);
  fixture.write(2);
  fixture.run(3);
  CHECK(fixture.service.events == numbers(1, 2));
}

TEST_CASE("The log tells start, first failure, recovery and dead letters, and no body") {
  ShippingFixture fixture;
  fixture.write(12);
  fixture.service.refused = {5};
  fixture.service.fault = sends_fail(12, failure_with(FailureKind::transient, "reset by peer"));
  CapturedLog log;
  fixture.run(13);
  CHECK_THAT(log.text(), contains_text("info delivery to cloudwatch_logs (/invlog/records): "
                                       "everything up to record 0 is there, 12 records wait"));
  CHECK(log.count("reset by peer") >= 1);
  CHECK(log.count("reset by peer") <= 1 + fixture.waited_ms() / 60000);
  CHECK_THAT(log.text(), contains_text("delivered again after") && contains_text("12 retries"));
  CHECK_THAT(log.text(),
             contains_text("warning record 5 did not get to") && contains_text("too old"));
  CHECK_THAT(log.text(), !contains_text("prompt"));
}

TEST_CASE("A changed target is not said to have what went to the earlier one") {
  ShippingFixture fixture;
  fixture.write(3);
  fixture.run(1);
  CapturedLog log;
  fixture.options_.target = "/other/group";
  fixture.restart();
  fixture.destination = std::make_unique<FakeDestination>(fixture.options_, fixture.service);
  fixture.run(1);
  CHECK_THAT(log.text(), contains_text("warning delivery to cloudwatch_logs (/other/group) begins "
                                       "after record 3: what went to /invlog/records stays there"));
  CHECK_THAT(log.text(), !contains_text("everything up to record"));
}

}  // namespace
}  // namespace invlog::exporters
