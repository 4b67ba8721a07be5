#include "agent/delivery/aws_access.h"

#include <unistd.h>

#include "agent/version.h"
#include "exporters/aws/credential_chain.h"
#include "exporters/aws/instance_region.h"

namespace invlog::delivery {

aws::HttpClientOptions http_client_options(const config::AwsConfig& configuration,
                                           const aws::Environment& environment,
                                           const std::atomic<bool>* cancelled) {
  aws::HttpClientOptions options;
  options.user_agent = std::string("invlog/") + kVersion;
  options.ca_bundle = configuration.ca_bundle.empty() ? environment("AWS_CA_BUNDLE").value_or("")
                                                      : configuration.ca_bundle;
  options.cancelled = cancelled;
  return options;
}

std::unique_ptr<aws::HttpClient> make_http_client(const config::AwsConfig& configuration,
                                                  const aws::Environment& environment,
                                                  const std::atomic<bool>* cancelled) {
  return aws::curl_http_client(http_client_options(configuration, environment, cancelled));
}

std::unique_ptr<aws::CredentialsProvider> make_credentials(const config::AgentConfig& configuration,
                                                           const aws::Environment& environment,
                                                           const std::atomic<bool>* cancelled) {
  aws::ChainOptions options;
  options.environment = environment;
  options.profile = configuration.aws.profile;
  options.region = configuration.region;
  options.sts_endpoint = configuration.aws.sts_endpoint;
  options.role_session_name = aws::role_session_name_of_host(host_name());
  options.http = [aws = configuration.aws, environment, cancelled] {
    return make_http_client(aws, environment, cancelled);
  };
  options.cancelled = cancelled;
  return aws::default_chain(options);
}

std::string region_of_instance(const aws::Environment& environment) {
  aws::ChainOptions options;
  options.environment = environment;
  options.http = [environment] { return make_http_client({}, environment); };
  return aws::instance_region(options);
}

std::string host_name() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  return name;
}

}  // namespace invlog::delivery
