// What the commands that deliver begin with: the store, the configuration that goes with it, and
// the credentials by it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "agent/cli/store_access.h"
#include "agent/delivery/aws_access.h"
#include "agent/delivery/destinations.h"
#include "storage/reader.h"

namespace invlog::cli {

// What the commands take from outside, which tests replace.
struct DeliveryWorld {
  aws::Environment environment = aws::process_environment();
  delivery::DestinationFactory make_destinations = delivery::make_destinations;
  std::function<std::unique_ptr<aws::CredentialsProvider>(
      const config::AgentConfig&, const aws::Environment&, const std::atomic<bool>* cancelled)>
      make_credentials = delivery::make_credentials;
  // A client that trusts `ca_bundle` (a PEM file, "" the system's).
  std::function<std::unique_ptr<aws::HttpClient>(const config::AwsConfig&, const aws::Environment&,
                                                 const std::atomic<bool>* cancelled)>
      make_http_client = delivery::make_http_client;
};

struct DeliveryAccess {
  std::string store_path;
  std::unique_ptr<storage::Reader> reader;
  config::AgentConfig configuration;
};

// On failure says why on `err`, and sets `exit_code`.
std::optional<DeliveryAccess> open_delivery(const StoreOptions& options,
                                            const aws::Environment& environment, std::ostream& err,
                                            int& exit_code);

// What delivery logs (a refused target, a damaged plan) goes to stderr, and only what matters.
void log_warnings_to_stderr();

}  // namespace invlog::cli
