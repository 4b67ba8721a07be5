#include "agent/cli/ship_command.h"

#include <atomic>
#include <sstream>
#include <vector>

#include "storage/file_lock.h"
#include "tests/catch.h"
#include "tests/unit/agent/cli/command_answer.h"
#include "tests/unit/agent/config/config_text.h"
#include "tests/unit/agent/delivery/delivery_scene.h"

using namespace invlog::tests;
using namespace std::chrono_literals;
using invlog::aws::FailureKind;
using invlog::cli::run_ship;
using invlog::cli::ShipOptions;
using invlog::exporters::failure_with;
using invlog::exporters::FakeOptions;
using invlog::exporters::FakeService;
using Call = FakeService::Call;

namespace {

const FakeOptions kObjects{"s3", "s3://records-eu", 10, true};
const FakeOptions kEvents{"cloudwatch_logs", "/invlog/records", 10, false};

// `ship --once` of the example store to both fakes.
struct ShipCommandScene {
  ShipCommandScene() {
    options.store = store.options();
    options.world.environment = environment_of({});
    options.world.make_destinations = destinations_of({{kObjects, s3}, {kEvents, logs}});
    options.world.make_credentials = [](const auto&, const auto&, const auto*) {
      return std::make_unique<FixedCredentials>();
    };
  }
  CommandAnswer ship() {
    std::ostringstream out, err;
    const int exit_code = run_ship(options, out, err);
    return {exit_code, out.str(), err.str()};
  }

  const ExampleStore store;
  FakeService s3, logs;
  ShipOptions options;
};

void fail_always(FakeService& service, Call at, FailureKind kind) {
  service.fault = [at, kind](Call call, bool) {
    return call == at ? std::optional(failure_with(kind)) : std::nullopt;
  };
}

}  // namespace

TEST_CASE("ship delivers the store to each destination and says how much it was") {
  ShipCommandScene scene;
  CommandAnswer answer = scene.ship();
  CHECK(answer.exit_code == 0);
  CHECK(answer.err.empty());
  CHECK(contains(answer.out, "destination"));
  CHECK(contains(answer.out, "s3://records-eu"));
  CHECK(contains(answer.out, "all delivered"));
  CHECK(scene.s3.objects.size() == 1);
  CHECK(scene.logs.events.size() == 6);
  answer = scene.ship();
  CHECK(answer.exit_code == 0);
  CHECK(scene.s3.sends == 1);  // there was nothing left to do
  CHECK(scene.logs.sends == 1);
}

TEST_CASE("ship's JSON has a shape that programs can rely on") {
  ShipCommandScene scene;
  fail_always(scene.s3, Call::prove, FailureKind::redirected);
  scene.options.json = true;
  const CommandAnswer answer = scene.ship();
  CHECK(answer.exit_code == 1);
  CHECK(contains(answer.out,
                 "{\"destinations\":[{\"destination\":\"s3\",\"target\":\"s3://records-eu\","
                 "\"delivered\":false,\"records\":0,\"batches\":0,\"bytes\":0,\"line_bytes\":0,"
                 "\"dead_letters\":0,\"seconds\":"));
  CHECK(contains(answer.out, "\"error\":\"redirected on purpose"));
  CHECK(contains(answer.out,
                 "{\"destination\":\"cloudwatch_logs\",\"target\":\"/invlog/records\","
                 "\"delivered\":true,\"records\":6,\"batches\":1,\"bytes\":600,\"line_bytes\":"));
  CHECK(contains(answer.out, "\"error\":null}]}\n"));
  CHECK(answer.out.find('\n') == answer.out.size() - 1);
}

TEST_CASE("ship goes on with one destination while the other cannot be used") {
  ShipCommandScene scene;
  fail_always(scene.s3, Call::prove, FailureKind::redirected);
  const CommandAnswer answer = scene.ship();
  CHECK(answer.exit_code == 1);
  CHECK(contains(answer.err, "invlog ship: s3: "));
  CHECK(contains(answer.err, "redirected on purpose"));
  CHECK(!contains(answer.err, "cloudwatch_logs"));
  CHECK(contains(answer.out, "FAILED"));
  CHECK(scene.s3.sends == 0);
  CHECK(scene.logs.events.size() == 6);
}

TEST_CASE("ship gives up after the timeout and keeps what is not confirmed") {
  ShipCommandScene scene;
  scene.options.destination = "s3";
  scene.options.give_up_after = 100ms;
  fail_always(scene.s3, Call::send, FailureKind::transient);
  CommandAnswer answer = scene.ship();
  CHECK(answer.exit_code == 1);
  CHECK(contains(answer.err, "gave up after 0.1 s without success: "));
  CHECK(contains(answer.err, "transient on purpose"));
  CHECK(scene.logs.sends == 0);
  scene.s3.fault = {};
  answer = scene.ship();
  CHECK(answer.exit_code == 0);
  for (std::int64_t record = 1; record <= 6; ++record) {
    CHECK(scene.s3.copies(record) == 1);
  }
}

TEST_CASE("ship ends an attempt without an answer when the time is over") {
  ShipCommandScene scene;
  // How many there are is asked for first, then each for its own attempts' end.
  std::vector<const std::atomic<bool>*> cancelled;
  scene.options.world.make_destinations = destinations_of(
      {{kObjects, scene.s3}, {kEvents, scene.logs}},
      [&cancelled](const auto& surroundings) { cancelled.push_back(surroundings.cancelled); });
  scene.options.give_up_after = 100ms;
  Call silent = Call::send;
  SECTION("of a batch") {}
  SECTION("of a proof") {
    silent = Call::prove;
  }
  bool waited_for = true;
  scene.s3.fault = [&](Call call, bool) -> std::optional<invlog::aws::ServiceFailure> {
    if (call != silent) {
      return std::nullopt;
    }
    waited_for = eventually([&cancelled] { return cancelled.at(1)->load(); });
    return failure_with(FailureKind::cancelled, "S3: host:443: cancelled");
  };
  CommandAnswer answer = scene.ship();
  CHECK(waited_for);
  CHECK(cancelled.at(1) != cancelled.at(2));
  CHECK(answer.exit_code == 1);
  CHECK(answer.err ==
        "invlog ship: s3: gave up after 0.1 s without success, waiting for an answer: S3: "
        "host:443: cancelled\n");
  CHECK(scene.logs.events.size() == 6);
  scene.s3.fault = {};
  CHECK(scene.ship().exit_code == 0);
  CHECK(scene.s3.objects.size() == 1);
}

TEST_CASE("records that are refused are no failure of ship, but are said") {
  ShipCommandScene scene;
  scene.options.destination = "cloudwatch_logs";
  scene.logs.refused = {2};
  const CommandAnswer answer = scene.ship();
  CHECK(answer.exit_code == 0);
  CHECK(answer.err ==
        "invlog ship: cloudwatch_logs: 1 record refused; see `invlog dead-letters list`\n");
  CHECK(ledger_of(scene.store)->dead_letters().size() == 1);
}

TEST_CASE("ship tells of dead letters to be retried whose destination is not configured") {
  ShipCommandScene scene;
  scene.logs.refused = {2};
  CHECK(scene.ship().exit_code == 0);
  const auto ledger = ledger_of(scene.store);
  scene.options.world.make_destinations = destinations_of({{kObjects, scene.s3}});
  CHECK(scene.ship().err.empty());  // nobody asked for a retry
  CHECK(ledger->retry_dead_letters({ledger->dead_letters().at(0).id}) == 1);
  CommandAnswer answer = scene.ship();
  CHECK(answer.exit_code == 0);
  CHECK(contains(answer.out, "all delivered"));  // of s3
  CHECK(answer.err ==
        "invlog ship: cloudwatch_logs, which is not configured (any more, or not here), has dead "
        "letters that are marked for another attempt: nobody makes one before it is; see `invlog "
        "dead-letters list`\n");
  scene.options.destination = "s3";
  CHECK(scene.ship().err.empty());
  scene.options.destination.clear();
  scene.options.world.make_destinations =
      destinations_of({{kObjects, scene.s3}, {kEvents, scene.logs}});
  scene.logs.refused.clear();
  CHECK(scene.ship().err.empty());
  CHECK(ledger->dead_letters().empty());
}

TEST_CASE("records that are refused before ship fails are told apart from those that arrived") {
  ShipCommandScene scene;
  FakeOptions pairs = kEvents;
  pairs.batch_records = 2;
  scene.options.world.make_destinations = destinations_of({{pairs, scene.logs}});
  scene.logs.refused = {2};
  scene.logs.fault = [&scene](Call call, bool) {
    return call == Call::send && scene.logs.sends > 1
               ? std::optional(failure_with(FailureKind::denied))
               : std::nullopt;
  };
  scene.options.json = true;
  const CommandAnswer answer = scene.ship();
  CHECK(answer.exit_code == 1);
  CHECK(contains(answer.out, "\"delivered\":false,\"records\":1,\"batches\":1,\"bytes\":100,"));
  CHECK(contains(answer.out, "\"dead_letters\":1,"));
  CHECK(contains(answer.out, "\"error\":\"denied on purpose\""));
  CHECK(answer.err ==
        "invlog ship: cloudwatch_logs: denied on purpose\n"
        "invlog ship: cloudwatch_logs: 1 record refused; see `invlog dead-letters list`\n");
}

TEST_CASE("ship waits while another process delivers to the same destination") {
  ShipCommandScene scene;
  scene.options.destination = "s3";
  scene.options.give_up_after = 100ms;
  auto lock = invlog::storage::try_delivery_lock(scene.store.path(), "s3");
  REQUIRE(lock);
  const CommandAnswer answer = scene.ship();
  CHECK(answer.exit_code == 1);
  CHECK(contains(answer.err, "another invlog process is delivering to s3"));
  CHECK(scene.s3.sends == 0);
  lock.reset();
  CHECK(scene.ship().exit_code == 0);
  CHECK(scene.s3.objects.size() == 1);
}

TEST_CASE("ship shows progress on a terminal only") {
  ShipCommandScene scene;
  int sends = 0;
  scene.s3.fault = [&sends](Call call, bool) {
    return call == Call::send && ++sends == 1 ? std::optional(failure_with(FailureKind::transient))
                                              : std::nullopt;
  };
  scene.options.destination = "s3";
  CHECK(scene.ship().err.empty());

  ShipCommandScene shown;
  fail_always(shown.s3, Call::send, FailureKind::transient);
  shown.options.destination = "s3";
  shown.options.give_up_after = 700ms;
  shown.options.progress_width = 200;
  const CommandAnswer answer = shown.ship();
  CHECK(contains(answer.err, "\rshipping  ["));
  CHECK(contains(answer.err, "0 %  s3 waits: transient on purpose"));
  CHECK(contains(answer.err, "\r\x1b[Kinvlog ship: s3: gave up"));  // the bar is gone
}

TEST_CASE("ship says what is missing in the configuration") {
  ShipCommandScene scene;
  scene.options.world.make_destinations = destinations_of({});
  CommandAnswer answer = scene.ship();
  CHECK(answer.exit_code == 2);
  CHECK(contains(answer.err, "no destination is configured: add [exporters.s3]"));

  const std::string file = scene.store.directory().write(
      "c.toml", kRegion + "[exporters.s3]\nbucket = \"records-eu\"\n");
  scene.options.store.config_file = file;
  scene.options.world.make_destinations = destinations_of({{kObjects, scene.s3}});
  scene.options.destination = "cloudwatch_logs";
  answer = scene.ship();
  CHECK(answer.exit_code == 2);
  CHECK(answer.err == "invlog ship: destination cloudwatch_logs is not configured, only s3\n");

  scene.store.directory().write("c.toml", kRegion + "[exporters.s3]\nbuket = \"records-eu\"\n");
  answer = scene.ship();
  CHECK(answer.exit_code == 2);
  CHECK(contains(answer.err, file + ":4:1: unknown key \"buket\""));

  scene.store.directory().write("c.toml", "[agent]\nregion = \"us-east-1\"\n");
  answer = scene.ship();
  CHECK(answer.exit_code == 2);
  CHECK(contains(answer.err, "the store is pinned to Region \"eu-central-1\""));
  CHECK(scene.s3.sends == 0);

  scene.options.store.store = "/nonexistent.db";
  answer = scene.ship();
  CHECK(answer.exit_code == 1);
  CHECK(contains(answer.err, "/nonexistent.db"));
}
