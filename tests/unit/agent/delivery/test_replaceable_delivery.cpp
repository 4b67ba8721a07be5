#include "agent/delivery/replaceable_delivery.h"

#include <atomic>

#include "tests/catch.h"
#include "tests/unit/agent/config/config_text.h"
#include "tests/unit/agent/delivery/delivery_scene.h"

using namespace invlog::tests;
using namespace std::chrono_literals;
using invlog::delivery::DeliveryService;
using invlog::delivery::ReplaceableDelivery;
using invlog::exporters::FakeOptions;
using invlog::exporters::FakeService;

TEST_CASE("another delivery takes the place of the first, and goes on where that one was") {
  const ExampleStore store;
  FixedCredentials credentials;
  FakeService first, second;
  std::atomic<int> made{0};
  const FakeOptions options{"cloudwatch_logs", "/invlog/records", 10, false};
  const auto make = [&](const invlog::config::AgentConfig& configuration) {
    FakeService& service = made++ == 0 ? first : second;
    if (configuration.account_id == "refused") {
      throw std::runtime_error("on purpose");
    }
    return std::make_unique<DeliveryService>(configuration, credentials, environment_of({}),
                                             destinations_of({{options, service}}));
  };
  invlog::config::AgentConfig configuration = configuration_of(store);
  ReplaceableDelivery delivery(make, configuration);
  delivery.start();
  const auto delivered = [&](std::int64_t records) {
    return eventually([&] { return ledger_of(store)->state("cloudwatch_logs").cursor == records; });
  };
  CHECK(delivered(6));
  delivery.replace(configuration);
  CHECK(eventually([&] { return made == 2; }));
  store.append("one more");
  CHECK(delivered(7));

  // One that cannot be made is no end: the next one goes on.
  configuration.account_id = "refused";
  delivery.replace(configuration);
  CHECK(eventually([&] { return made == 3; }));
  configuration.account_id.clear();
  delivery.replace(configuration);
  CHECK(eventually([&] { return made == 4; }));
  store.append("and another");
  CHECK(delivered(8));
  delivery.stop(8s);
  CHECK(first.events.size() == 6);
  CHECK(second.events.size() == 2);
  delivery.replace(configuration);  // too late: nothing begins
  CHECK(made == 4);
}
