#include "exporters/aws/sts_access.h"

#include <utility>

#include "exporters/aws/endpoints.h"

namespace invlog::aws {
namespace {

// A call of the application may be waiting.
constexpr std::chrono::milliseconds kConnectTimeout{3000}, kTotalTimeout{10000};

std::string region_of(const ChainOptions& options) {
  if (!options.region.empty()) {
    return options.region;
  }
  const std::string region = value_of(options.environment, "AWS_REGION");
  return region.empty() ? value_of(options.environment, "AWS_DEFAULT_REGION") : region;
}

}  // namespace

std::string configured_sts_endpoint(const std::string& option, const Environment& environment) {
  return option.empty() ? value_of(environment, "AWS_ENDPOINT_URL_STS") : option;
}

StsAccess::StsAccess(const ChainOptions& options, CredentialsProvider& credentials)
    : options_(options), credentials_(credentials) {}

tl::expected<Credentials, CredentialsError> StsAccess::assume(const AssumeRoleRequest& request) {
  const auto sts = client();
  if (!sts) {
    return tl::unexpected(sts.error());
  }
  auto credentials = assume_role(**sts, request);
  if (!credentials) {
    const bool may_pass = passes_by_itself(credentials.error().kind);
    return tl::unexpected(CredentialsError(std::move(credentials.error().message), may_pass));
  }
  if (credentials->expiration) {
    *credentials->expiration -= (*sts)->clock_offset();
  }
  return std::move(*credentials);
}

tl::expected<ServiceClient*, std::string> StsAccess::client() {
  if (client_) {
    return client_.get();
  }
  ServiceClientOptions options;
  options.service = "sts";
  options.region = region_of(options_);
  if (!is_region_name(options.region)) {
    return tl::unexpected<std::string>(
        "no Region whose STS could be asked: set AWS_REGION, or region in the configuration");
  }
  options.endpoint = configured_sts_endpoint(options_.sts_endpoint, options_.environment);
  if (options.endpoint.empty()) {
    options.endpoint = "https://" + service_host("sts", options.region);
  }
  options.clock = options_.system_clock;
  options.connect_timeout = kConnectTimeout;
  options.total_timeout = kTotalTimeout;
  if (!http_ && !(options_.http && (http_ = options_.http()))) {
    return tl::unexpected<std::string>("this command has no HTTP client");
  }
  client_ = std::make_unique<ServiceClient>(std::move(options), *http_, credentials_);
  return client_.get();
}

}  // namespace invlog::aws
