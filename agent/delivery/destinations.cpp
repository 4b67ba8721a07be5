#include "agent/delivery/destinations.h"

#include "agent/delivery/aws_access.h"
#include "exporters/cloudwatch_logs/cloudwatch_logs_destination.h"
#include "exporters/s3/s3_destination.h"

namespace invlog::delivery {
namespace {

ConfiguredDestination make_s3(const config::AgentConfig& configuration,
                              const Surroundings& surroundings) {
  const exporters::S3Options& options = *configuration.exporters.s3;
  ConfiguredDestination made;
  made.http = make_http_client(configuration.aws, surroundings.environment, surroundings.cancelled);
  made.destination =
      exporters::s3_destination(options, *made.http, surroundings.credentials, {},
                                exporters::system_call_times(surroundings.cancelled));
  made.batch_age = options.batch_age;
  made.from_now = options.from_now;
  return made;
}

ConfiguredDestination make_cloudwatch_logs(const config::AgentConfig& configuration,
                                           const Surroundings& surroundings) {
  const exporters::CloudWatchLogsOptions& options = *configuration.exporters.cloudwatch_logs;
  ConfiguredDestination made;
  made.http = make_http_client(configuration.aws, surroundings.environment, surroundings.cancelled);
  made.destination = std::make_unique<exporters::CloudWatchLogsDestination>(
      options, surroundings.host, *made.http, surroundings.credentials,
      std::chrono::system_clock::now, configuration.exporters.s3,
      exporters::system_call_times(surroundings.cancelled));
  made.batch_age = options.batch_age;
  made.from_now = options.from_now;
  return made;
}

}  // namespace

std::vector<ConfiguredDestination> make_destinations(const config::AgentConfig& configuration,
                                                     const Surroundings& surroundings) {
  std::vector<ConfiguredDestination> made;
  if (configuration.exporters.s3) {
    made.push_back(make_s3(configuration, surroundings));
  }
  if (configuration.exporters.cloudwatch_logs) {
    made.push_back(make_cloudwatch_logs(configuration, surroundings));
  }
  return made;
}

std::vector<DestinationDescription> describe_destinations(
    const config::AgentConfig& configuration) {
  const auto nobody = aws::provider_chain({});
  const auto nothing = [](const char*) { return std::optional<std::string>(); };
  std::vector<DestinationDescription> descriptions;
  for (const ConfiguredDestination& each :
       make_destinations(configuration, {*nobody, nothing, host_name(), nullptr})) {
    descriptions.push_back({each.destination->name(), each.destination->target(), each.from_now});
  }
  return descriptions;
}

storage::RetentionOptions retention_options(const config::AgentConfig& configuration) {
  storage::RetentionOptions options;
  options.max_size_bytes = configuration.retention.max_size_bytes;
  options.max_age = configuration.retention.max_age;
  options.keep_undelivered = configuration.retention.keep_undelivered;
  for (DestinationDescription& destination : describe_destinations(configuration)) {
    options.destinations.push_back(std::move(destination.name));
  }
  return options;
}

exporters::ShipperOptions shipper_options(const config::AgentConfig& configuration,
                                          const ConfiguredDestination& destination) {
  exporters::ShipperOptions options;
  options.store_path = configuration.store_path();
  options.batch_age = destination.batch_age;
  options.from_now = destination.from_now;
  return options;
}

}  // namespace invlog::delivery
