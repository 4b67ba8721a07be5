// From configuration to destinations that can be used: for each table of [exporters] its
// Destination, with an HTTP client of its own.
//
// Threads: making them is any thread's; each then belongs to one (its Shipper's). Ownership: each
// owns its client; provider and `cancelled` must outlive them. Errors: making them asks nobody and
// fails at nothing that configuration did not check.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/config/agent_config.h"
#include "exporters/aws/credentials.h"
#include "exporters/aws/http_client.h"
#include "exporters/destination.h"
#include "exporters/shipper.h"
#include "storage/retention_options.h"

namespace invlog::delivery {

struct ConfiguredDestination {
  std::unique_ptr<aws::HttpClient> http;  // before what uses it
  std::unique_ptr<exporters::Destination> destination;
  std::chrono::milliseconds batch_age{60000};
  bool from_now = false;
};

// What destinations are made with, beside their configuration.
struct Surroundings {
  aws::CredentialsProvider& credentials;
  aws::Environment environment;
  std::string host;                              // this host's name
  const std::atomic<bool>* cancelled = nullptr;  // once true, calls under way end
};

// S3 first, then CloudWatch Logs; empty if none is configured.
std::vector<ConfiguredDestination> make_destinations(const config::AgentConfig& configuration,
                                                     const Surroundings& surroundings);
// For tests: their own destinations in place of real ones.
using DestinationFactory = std::function<std::vector<ConfiguredDestination>(
    const config::AgentConfig&, const Surroundings&)>;

// What the configuration names, without anything that could call it.
struct DestinationDescription {
  std::string name;    // "s3"
  std::string target;  // "s3://records-eu"
  bool from_now = false;
};
std::vector<DestinationDescription> describe_destinations(const config::AgentConfig& configuration);

// [retention] for the store's writer: what it may take away depends on the destinations.
storage::RetentionOptions retention_options(const config::AgentConfig& configuration);

// The rest of the options (store, account) is the caller's.
exporters::ShipperOptions shipper_options(const config::AgentConfig& configuration,
                                          const ConfiguredDestination& destination);

}  // namespace invlog::delivery
