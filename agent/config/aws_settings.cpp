// [aws].
#include "agent/config/settings.h"

namespace invlog::config {
namespace {

SettingError set_profile(AgentConfig& configuration, const SettingValues& values) {
  configuration.aws.profile = values.front();
  return std::nullopt;
}

template <std::string AwsConfig::*member>
SettingError set_endpoint(AgentConfig& configuration, const SettingValues& values) {
  return set_url(configuration.aws.*member, values.front());
}

SettingError set_ca_bundle(AgentConfig& configuration, const SettingValues& values) {
  return set_certificates_file(configuration.aws.ca_bundle, values.front());
}

// These services get no records: a custom endpoint needs nobody to vouch for it, but another
// Region's is surely a mistake, and says what is not so here.
Mismatches finish(AgentConfig& configuration) {
  const AwsConfig& aws = configuration.aws;
  Mismatches mismatches;
  for (const auto& [service, endpoint] :
       {std::pair("sts", &aws.sts_endpoint), std::pair("bedrock", &aws.bedrock_endpoint),
        std::pair("cloudtrail", &aws.cloudtrail_endpoint)}) {
    if (const auto problem = endpoint_problem(service, *endpoint, configuration.region, true)) {
      mismatches.push_back({std::string(service) + "_endpoint", *problem, "agent.region"});
    }
  }
  return mismatches;
}

}  // namespace

const SettingsTable& aws_table() {
  static const SettingsTable table{
      "aws",
      {
          {"profile", ValueForm::text, set_profile},
          {"sts_endpoint", ValueForm::text, set_endpoint<&AwsConfig::sts_endpoint>},
          {"bedrock_endpoint", ValueForm::text, set_endpoint<&AwsConfig::bedrock_endpoint>},
          {"cloudtrail_endpoint", ValueForm::text, set_endpoint<&AwsConfig::cloudtrail_endpoint>},
          {"ca_bundle", ValueForm::path, set_ca_bundle},
      },
      [](AgentConfig&) {},
      finish};
  return table;
}

}  // namespace invlog::config
