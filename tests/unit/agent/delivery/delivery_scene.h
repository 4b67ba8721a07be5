// Delivery of the example store to destinations in memory: what tests of the agent's delivery and
// of its commands share.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/delivery/destinations.h"
#include "exporters/aws/credentials.h"
#include "storage/delivery_ledger.h"
#include "tests/unit/agent/cli/example_store.h"
#include "tests/unit/exporters/fake_destination.h"

namespace invlog::tests {

// Always the same keys.
class FixedCredentials : public aws::CredentialsProvider {
 public:
  aws::ProvideResult provide() override;
  std::string name() const override { return "fixed"; }
};

// The store's Region and directory, and an upstream that is not AWS's.
config::AgentConfig configuration_of(const ExampleStore& store);

struct FakeTarget {
  exporters::FakeOptions options;
  exporters::FakeService& service;
};
// Makes these in place of the configured ones. `seen` gets what they are made with.
delivery::DestinationFactory destinations_of(
    std::vector<FakeTarget> targets, std::function<void(const delivery::Surroundings&)> seen = {});

std::unique_ptr<storage::DeliveryLedger> ledger_of(const ExampleStore& store);

// Asks again until it is so, for 20 s at most.
bool eventually(const std::function<bool()>& is_so);

// STS's answer to GetCallerIdentity.
std::string identity_answer(const std::string& account, const std::string& arn);

}  // namespace invlog::tests
