#include "tests/unit/agent/delivery/delivery_scene.h"

#include <stdexcept>
#include <thread>
#include <utility>

namespace invlog::tests {

aws::ProvideResult FixedCredentials::provide() {
  aws::Credentials credentials;
  credentials.access_key_id = "AKIDEXAMPLE";
  credentials.secret_access_key = "very-secret-key";
  credentials.source = "a test";
  return credentials;
}

config::AgentConfig configuration_of(const ExampleStore& store) {
  config::AgentConfig configuration;
  configuration.region = "eu-central-1";
  configuration.state_dir = store.directory().path();
  configuration.upstream = "http://127.0.0.1:1";
  return configuration;
}

delivery::DestinationFactory destinations_of(
    std::vector<FakeTarget> targets, std::function<void(const delivery::Surroundings&)> seen) {
  return [targets = std::move(targets), seen = std::move(seen)](
             const config::AgentConfig&, const delivery::Surroundings& surroundings) {
    if (seen) {
      seen(surroundings);
    }
    std::vector<delivery::ConfiguredDestination> made;
    for (const FakeTarget& target : targets) {
      delivery::ConfiguredDestination each;
      each.destination =
          std::make_unique<exporters::FakeDestination>(target.options, target.service);
      each.batch_age = std::chrono::milliseconds(1);
      made.push_back(std::move(each));
    }
    return made;
  };
}

std::unique_ptr<storage::DeliveryLedger> ledger_of(const ExampleStore& store) {
  auto ledger = storage::DeliveryLedger::open(store.path());
  if (!ledger) {
    throw std::runtime_error(ledger.error());
  }
  return std::move(*ledger);
}

bool eventually(const std::function<bool()>& is_so) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > end) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

std::string identity_answer(const std::string& account, const std::string& arn) {
  return "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
         "<GetCallerIdentityResult><Arn>" +
         arn + "</Arn><UserId>AIDA</UserId><Account>" + account +
         "</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
}

}  // namespace invlog::tests
