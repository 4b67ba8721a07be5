#include "agent/delivery/delivery_service.h"

#include <atomic>
#include <thread>

#include "tests/catch.h"
#include "tests/unit/agent/config/config_text.h"
#include "tests/unit/agent/delivery/delivery_scene.h"

using namespace invlog::tests;
using namespace std::chrono_literals;
using invlog::aws::FailureKind;
using invlog::delivery::DeliveryService;
using invlog::exporters::failure_with;
using invlog::exporters::FakeOptions;
using invlog::exporters::FakeService;
using Call = FakeService::Call;

namespace {

constexpr std::int64_t kRecords = 6;  // of the example store

const FakeOptions kObjects{"s3", "s3://records-eu", 10, true};
const FakeOptions kEvents{"cloudwatch_logs", "/invlog/records", 10, false};

// A service whose sends do not return until it is told so, or until the agent's HTTP clients would
// end.
class Hanging {
 public:
  // `arrives`: the batch gets there, only the answer does not come.
  explicit Hanging(bool arrives) {
    service.fault = [this, arrives](Call call, bool done) {
      return call == Call::send && done == arrives ? hang()
                                                   : std::optional<invlog::aws::ServiceFailure>();
    };
  }

  std::function<void(const invlog::delivery::Surroundings&)> watch() {
    return [this](const invlog::delivery::Surroundings& surroundings) {
      cancelled_ = surroundings.cancelled;
    };
  }
  bool reached() const {
    return eventually([this] { return sending_.load(); });
  }
  void release() { released_ = true; }

  FakeService service;

 private:
  std::optional<invlog::aws::ServiceFailure> hang() {
    sending_ = true;
    while (!*cancelled_ && !released_) {
      std::this_thread::sleep_for(1ms);
    }
    return released_ ? std::nullopt : std::optional(failure_with(FailureKind::cancelled));
  }

  const std::atomic<bool>* cancelled_ = nullptr;
  std::atomic<bool> sending_{false}, released_{false};
};

std::int64_t cursor_of(const ExampleStore& store, const char* destination) {
  return ledger_of(store)->state(destination).cursor;
}

// What is left is delivered, as after a restart of the agent.
void deliver_the_rest(const ExampleStore& store, const FakeOptions& options, FakeService& service) {
  service.fault = {};
  FixedCredentials credentials;
  DeliveryService again(configuration_of(store), credentials, environment_of({}),
                        destinations_of({{options, service}}));
  again.start();
  CHECK(eventually([&] { return cursor_of(store, options.name.c_str()) == kRecords; }));
}

}  // namespace

TEST_CASE("the agent delivers to each destination on its own") {
  const ExampleStore store;
  FixedCredentials credentials;
  FakeService s3, logs;
  s3.fault = [](Call call, bool) {
    return call == Call::prove ? std::optional(failure_with(FailureKind::transient)) : std::nullopt;
  };
  DeliveryService service(configuration_of(store), credentials, environment_of({}),
                          destinations_of({{kObjects, s3}, {kEvents, logs}}));
  CHECK(service.destinations() == 2);
  service.start();
  CHECK(eventually([&] { return cursor_of(store, "cloudwatch_logs") == kRecords; }));
  store.append("one more, while the agent runs");
  CHECK(eventually([&] { return cursor_of(store, "cloudwatch_logs") == kRecords + 1; }));
  service.stop(8s);
  CHECK(logs.events.size() == kRecords + 1);
  CHECK(cursor_of(store, "s3") == 0);
  CHECK(s3.sends == 0);
  CHECK(contains(ledger_of(store)->state("s3").last_error, "transient on purpose"));
}

TEST_CASE("stopping lets an attempt under way finish, and its batch counts") {
  const ExampleStore store;
  FixedCredentials credentials;
  Hanging hanging(true);
  DeliveryService service(configuration_of(store), credentials, environment_of({}),
                          destinations_of({{kEvents, hanging.service}}, hanging.watch()));
  service.start();
  REQUIRE(hanging.reached());
  std::thread stopping([&service] { service.stop(60s); });
  hanging.release();
  stopping.join();
  CHECK(hanging.service.events.size() == kRecords);
  CHECK(cursor_of(store, "cloudwatch_logs") == kRecords);
  deliver_the_rest(store, kEvents, hanging.service);
  CHECK(hanging.service.events.size() == kRecords);
}

TEST_CASE("a destination that does not answer holds the agent no longer than the limit") {
  const bool arrives = GENERATE(false, true);
  const bool objects = GENERATE(false, true);
  INFO((arrives ? "arrives" : "is lost") << (objects ? ", objects" : ", events"));
  const ExampleStore store;
  const FakeOptions& options = objects ? kObjects : kEvents;
  FixedCredentials credentials;
  Hanging hanging(arrives);
  DeliveryService service(configuration_of(store), credentials, environment_of({}),
                          destinations_of({{options, hanging.service}}, hanging.watch()));
  service.start();
  REQUIRE(hanging.reached());
  const auto begin = std::chrono::steady_clock::now();
  service.stop(400ms);
  const auto took = std::chrono::steady_clock::now() - begin;
  CHECK(took >= 300ms);  // three quarters of it are the attempt's
  CHECK(took < 10s);     // nobody else would have ended it
  CHECK(cursor_of(store, options.name.c_str()) == 0);

  deliver_the_rest(store, options, hanging.service);
  for (std::int64_t record = 1; record <= kRecords; ++record) {
    CHECK(hanging.service.copies(record) == (arrives && !objects ? 2 : 1));
  }
  CHECK(!hanging.service.overwritten_differently);
}

TEST_CASE("delivery that was never started, or has stopped, is stopped") {
  const ExampleStore store;
  FixedCredentials credentials;
  FakeService logs;
  {
    DeliveryService service(configuration_of(store), credentials, environment_of({}),
                            destinations_of({{kEvents, logs}}));
    service.stop(0ms);
  }
  DeliveryService service(configuration_of(store), credentials, environment_of({}),
                          destinations_of({{kEvents, logs}}));
  service.start();
  CHECK(eventually([&] { return cursor_of(store, "cloudwatch_logs") == kRecords; }));
  service.stop(8s);
  service.stop(0ms);
  CHECK(logs.events.size() == kRecords);
}

TEST_CASE("an agent without exporters delivers nothing and stops at once") {
  const ExampleStore store;
  FixedCredentials credentials;
  DeliveryService service(configuration_of(store), credentials, environment_of({}));
  CHECK(service.destinations() == 0);
  bool called = false;
  service.start([&called](const invlog::aws::CallerIdentity&) { called = true; });
  service.stop(60s);
  CHECK(!called);  // the upstream is not AWS's own: STS is not asked
}
