// [exporters.cloudwatch_logs]. Rules: botocore's service model of CloudWatch Logs, 2014-03-28.
#include <algorithm>
#include <charconv>
#include <iterator>

#include "agent/config/settings.h"

namespace invlog::config {
namespace {

using exporters::CloudWatchLogsOptions;

constexpr std::size_t kLongestName = 512;
constexpr int kRetentionDays[] = {1,   3,   5,   7,   14,   30,   60,   90,   120,  150,  180,
                                  365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};

CloudWatchLogsOptions& options_of(AgentConfig& configuration) {
  return *configuration.exporters.cloudwatch_logs;
}

SettingError set_log_group(AgentConfig& configuration, const SettingValues& values) {
  const std::string& name = values.front();
  if (name.empty() || name.size() > kLongestName ||
      name.find_first_not_of(
          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_/#") !=
          std::string::npos) {
    return in_quotes(name) +
           " is no log group's name: 1 to 512 of a-z, A-Z, 0-9, '.', '-', '_', '/' and '#'";
  }
  if (name.starts_with("aws/")) {
    return in_quotes(name) +
           " begins with \"aws/\", which CloudWatch Logs keeps for itself (\"/aws/\" is allowed)";
  }
  options_of(configuration).log_group = name;
  return std::nullopt;
}

SettingError set_log_stream(AgentConfig& configuration, const SettingValues& values) {
  const std::string& name = values.front();
  // The stream of the chain's heads has this name and more behind it.
  constexpr std::size_t kLongest = kLongestName - exporters::kIntegritySuffix.size();
  if (name.empty() || name.size() > kLongest || name.find_first_of(":*") != std::string::npos) {
    return in_quotes(name) + " is no log stream's name: 1 to " + std::to_string(kLongest) +
           " bytes without ':' and '*'";
  }
  options_of(configuration).log_stream = name;
  return std::nullopt;
}

SettingError set_host_suffix(AgentConfig& configuration, const SettingValues& values) {
  set_truth(options_of(configuration).host_suffix, values.front());
  return std::nullopt;
}

SettingError set_endpoint(AgentConfig& configuration, const SettingValues& values) {
  return set_url(options_of(configuration).endpoint, values.front());
}

SettingError set_region_attested(AgentConfig& configuration, const SettingValues& values) {
  set_truth(options_of(configuration).region_attested, values.front());
  return std::nullopt;
}

SettingError set_batch_size(AgentConfig& configuration, const SettingValues& values) {
  return set_size(options_of(configuration).batch_bytes, values.front(), 1 << 10, 1 << 20,
                  "1KiB and 1MiB, the service's limit");
}

SettingError set_batch_age(AgentConfig& configuration, const SettingValues& values) {
  return set_duration(options_of(configuration).batch_age, values.front());
}

SettingError set_create(AgentConfig& configuration, const SettingValues& values) {
  set_truth(options_of(configuration).create, values.front());
  return std::nullopt;
}

SettingError set_retention_days(AgentConfig& configuration, const SettingValues& values) {
  const std::string& text = values.front();
  int days = 0;
  std::from_chars(text.data(), text.data() + text.size(), days);
  if (std::find(std::begin(kRetentionDays), std::end(kRetentionDays), days) ==
      std::end(kRetentionDays)) {
    std::string list;
    for (const int allowed : kRetentionDays) {
      list += (list.empty() ? "" : ", ") + std::to_string(allowed);
    }
    return text + " is no number of days that CloudWatch Logs takes: " + list;
  }
  options_of(configuration).retention_days = days;
  return std::nullopt;
}

SettingError set_kms_key_arn(AgentConfig& configuration, const SettingValues& values) {
  options_of(configuration).kms_key_arn = values.front();
  return std::nullopt;
}

SettingError set_start(AgentConfig& configuration, const SettingValues& values) {
  return choose<bool>(options_of(configuration).from_now, values.front(),
                      {{"oldest", false}, {"now", true}});
}

void add_creation_mismatches(const CloudWatchLogsOptions& options, Mismatches& mismatches) {
  constexpr const char* kNotCreated =
      "it is for a log group that invlog creates, but create = false";
  if (!options.create && options.retention_days != 0) {
    mismatches.push_back({"retention_days", kNotCreated, "create"});
  }
  if (options.kms_key_arn.empty()) {
    return;
  }
  if (!options.create) {
    mismatches.push_back({"kms_key_arn", kNotCreated, "create"});
  } else if (const auto problem = kms_arn_problem(options.kms_key_arn, options.region)) {
    mismatches.push_back({"kms_key_arn", *problem, "agent.region"});
  }
}

Mismatches finish(AgentConfig& configuration) {
  Mismatches mismatches;
  if (!configuration.exporters.cloudwatch_logs) {
    return mismatches;
  }
  CloudWatchLogsOptions& options = options_of(configuration);
  options.region = configuration.region;
  if (options.log_group.empty()) {
    mismatches.push_back({"log_group", "it is missing: name the log group that the records go to"});
  }
  if (const auto problem =
          endpoint_problem("logs", options.endpoint, options.region, options.region_attested)) {
    mismatches.push_back({"endpoint", *problem, "agent.region"});
  }
  options.region_attested |= is_aws_endpoint("logs", options.endpoint, options.region);
  add_creation_mismatches(options, mismatches);
  return mismatches;
}

}  // namespace

const SettingsTable& cloudwatch_logs_table() {
  static const SettingsTable table{
      "exporters.cloudwatch_logs",
      {
          {"log_group", ValueForm::text, set_log_group},
          {"log_stream", ValueForm::text, set_log_stream, "aws/bedrock/modelinvocations"},
          {"host_suffix", ValueForm::boolean, set_host_suffix, "false"},
          {"endpoint", ValueForm::text, set_endpoint},
          {"region_attested", ValueForm::boolean, set_region_attested, "false"},
          {"batch_size", ValueForm::size, set_batch_size, "1MiB"},
          {"batch_age", ValueForm::text, set_batch_age, "5s"},
          {"create", ValueForm::boolean, set_create, "true"},
          {"retention_days", ValueForm::number, set_retention_days},
          {"kms_key_arn", ValueForm::text, set_kms_key_arn},
          {"start", ValueForm::text, set_start, "oldest"},
      },
      [](AgentConfig& configuration) { configuration.exporters.cloudwatch_logs.emplace(); },
      finish,
      true};
  return table;
}

}  // namespace invlog::config
