// [aws].
#include "agent/config/settings.h"

namespace invlog::config {
namespace {

SettingError set_profile(AgentConfig& configuration, const SettingValues& values) {
  configuration.aws.profile = values.front();
  return std::nullopt;
}

SettingError set_sts_endpoint(AgentConfig& configuration, const SettingValues& values) {
  return set_url(configuration.aws.sts_endpoint, values.front());
}

SettingError set_bedrock_endpoint(AgentConfig& configuration, const SettingValues& values) {
  return set_url(configuration.aws.bedrock_endpoint, values.front());
}

SettingError set_ca_bundle(AgentConfig& configuration, const SettingValues& values) {
  return set_readable_file(configuration.aws.ca_bundle, values.front());
}

// STS and Bedrock's control plane get no records: a custom endpoint needs nobody to vouch for it,
// but another Region's is surely a mistake, and says of profiles what is not so here.
std::optional<Mismatch> finish(AgentConfig& configuration) {
  if (const auto problem =
          endpoint_problem(configuration.aws.sts_endpoint, configuration.region, true)) {
    return Mismatch{"sts_endpoint", *problem};
  }
  if (const auto problem =
          endpoint_problem(configuration.aws.bedrock_endpoint, configuration.region, true)) {
    return Mismatch{"bedrock_endpoint", *problem};
  }
  return std::nullopt;
}

}  // namespace

const SettingsTable& aws_table() {
  static const SettingsTable table{"aws",
                                   {
                                       {"profile", ValueForm::text, set_profile},
                                       {"sts_endpoint", ValueForm::text, set_sts_endpoint},
                                       {"bedrock_endpoint", ValueForm::text, set_bedrock_endpoint},
                                       {"ca_bundle", ValueForm::text, set_ca_bundle},
                                   },
                                   [](AgentConfig&) {},
                                   finish};
  return table;
}

}  // namespace invlog::config
