// [agent].
#include <algorithm>

#include "agent/config/access_settings.h"
#include "agent/config/listen_setting.h"
#include "agent/config/own_address.h"
#include "agent/config/settings.h"
#include "exporters/aws/endpoints.h"

namespace invlog::config {
namespace {

SettingError set_listen(AgentConfig& configuration, const SettingValues& addresses) {
  if (addresses.empty()) {
    return "there is no address in it";
  }
  return set_listen_addresses(
      {configuration.listen_host, configuration.listen_port, configuration.listen_socket},
      addresses, {"4180", "/run/invlog/invlog.sock"});
}

SettingError set_upstream(AgentConfig& configuration, const SettingValues& values) {
  return set_url(configuration.upstream, values.front());
}

SettingError set_region(AgentConfig& configuration, const SettingValues& values) {
  if (!aws::is_region_name(values.front())) {
    return in_quotes(values.front()) + " is no Region: write, for instance, \"eu-central-1\"";
  }
  configuration.region = values.front();
  return std::nullopt;
}

SettingError set_region_mismatch(AgentConfig& configuration, const SettingValues& values) {
  return choose<RegionMismatch>(
      configuration.region_mismatch, values.front(),
      {{"refuse", RegionMismatch::refuse}, {"allow", RegionMismatch::allow}});
}

SettingError set_state_dir(AgentConfig& configuration, const SettingValues& values) {
  std::string directory = values.front();
  while (directory.size() > 1 && directory.back() == '/') {
    directory.pop_back();
  }
  if (directory.empty()) {
    return "it is empty: name a directory that the agent may write to";
  }
  configuration.state_dir = directory;
  return std::nullopt;
}

SettingError set_ca_bundle(AgentConfig& configuration, const SettingValues& values) {
  return set_certificates_file(configuration.ca_bundle, values.front());
}

SettingError set_account_id(AgentConfig& configuration, const SettingValues& values) {
  return set_account(configuration.account_id, values.front());
}

SettingError set_identity_arn(AgentConfig& configuration, const SettingValues& values) {
  const std::string& arn = values.front();
  if (!arn.empty() && (!arn.starts_with("arn:") || std::count(arn.begin(), arn.end(), ':') < 5)) {
    return in_quotes(arn) +
           " is no ARN: write, for instance, \"arn:aws:sts::123456789012:assumed-role/app/host\"";
  }
  configuration.identity_arn = arn;
  return std::nullopt;
}

SettingError set_durability(AgentConfig& configuration, const SettingValues& values) {
  return choose<Durability>(configuration.durability, values.front(),
                            {{"group", Durability::group}, {"strict", Durability::strict}});
}

SettingError set_on_overload(AgentConfig& configuration, const SettingValues& values) {
  return choose<OnOverload>(configuration.on_overload, values.front(),
                            {{"block", OnOverload::block}, {"pass", OnOverload::pass}});
}

SettingError set_on_storage_failure(AgentConfig& configuration, const SettingValues& values) {
  return choose<OnStorageFailure>(
      configuration.on_storage_failure, values.front(),
      {{"pass", OnStorageFailure::pass}, {"deny", OnStorageFailure::deny}});
}

SettingError set_log_level(AgentConfig& configuration, const SettingValues& values) {
  return choose<std::string>(configuration.log_level, values.front(),
                             {{"trace", "trace"},
                              {"debug", "debug"},
                              {"info", "info"},
                              {"warning", "warning"},
                              {"error", "error"}});
}

SettingError set_log_format(AgentConfig& configuration, const SettingValues& values) {
  return choose<std::string>(
      configuration.log_format, values.front(),
      {{"auto", "auto"}, {"text", "text"}, {"json", "json"}, {"journal", "journal"}});
}

SettingError set_max_request_size(AgentConfig& configuration, const SettingValues& values) {
  return set_size(configuration.max_request_bytes, values.front(), 1 << 10, 1ull << 30,
                  "1KiB and 1GiB");
}

SettingError set_max_recorded_response_size(AgentConfig& configuration,
                                            const SettingValues& values) {
  return set_size(configuration.max_recorded_response_bytes, values.front(), 1 << 10, 1ull << 30,
                  "1KiB and 1GiB");
}

SettingError set_queue_size(AgentConfig& configuration, const SettingValues& values) {
  return set_size(configuration.queue_bytes, values.front(), 1 << 16, 1ull << 34,
                  "64KiB and 16GiB");
}

SettingError set_connect_timeout(AgentConfig& configuration, const SettingValues& values) {
  return set_duration(configuration.connect_timeout, values.front());
}

SettingError set_stop_timeout(AgentConfig& configuration, const SettingValues& values) {
  return set_duration(configuration.stop_timeout, values.front());
}

SettingError set_idle_timeout(AgentConfig& configuration, const SettingValues& values) {
  return set_duration(configuration.idle_timeout, values.front());
}

Mismatches finish(AgentConfig& configuration) {
  Mismatches mismatches;
  if (auto problem = listen_problem(configuration)) {
    mismatches.push_back(std::move(*problem));
  }
  if (configuration.upstream.empty()) {
    configuration.upstream =
        "https://" + aws::service_host("bedrock-runtime", configuration.region);
  }
  const std::string upstream_region =
      region_of_aws_host(host_of(configuration.upstream)).value_or("");
  if (!upstream_region.empty() && upstream_region != configuration.region) {
    mismatches.push_back({"upstream",
                          in_quotes(configuration.upstream) + " is an endpoint of " +
                              upstream_region + ", but region is " +
                              in_quotes(configuration.region) +
                              ": one agent serves one source Region",
                          "region"});
  }
  // arn:partition:service:region:account:resource
  std::string_view arn = configuration.identity_arn;
  for (int field = 0; field < 4 && !arn.empty(); ++field) {
    arn.remove_prefix(arn.find(':') + 1);
  }
  const std::string_view arn_account = arn.substr(0, std::min(arn.find(':'), arn.size()));
  if (!arn_account.empty() && !configuration.account_id.empty() &&
      arn_account != configuration.account_id) {
    mismatches.push_back({"identity_arn",
                          in_quotes(configuration.identity_arn) + " is not in account " +
                              in_quotes(configuration.account_id),
                          "account_id"});
  }
  return mismatches;
}

// A store is pinned for good to what was misspelt.
Mismatches warn(const AgentConfig& configuration) {
  const std::string doubt =
      configuration.region.empty() ? "" : doubt_of_region(configuration.region);
  return doubt.empty() ? Mismatches() : Mismatches{{"region", doubt}};
}

}  // namespace

bool calls_itself(const AgentConfig& configuration, bool has_authority) {
  const std::string& url = configuration.upstream;
  if (url.empty()) {
    return false;  // it is AWS's own
  }
  std::string authority(authority_of(url));
  if (authority.find(':', authority.rfind(']') + 1) == std::string::npos) {
    authority += url.starts_with("https:") ? ":443" : ":80";
  }
  std::string host;
  std::uint16_t port = 0;
  const auto leads = [&](const std::string& own_host, std::uint16_t own_port) {
    return !own_host.empty() &&
           leads_to(host_and_port(listen_address(own_host), own_port), host, port);
  };
  return split_host_and_port(authority, host, port) &&
         (leads(configuration.listen_host, configuration.listen_port) ||
          (has_authority &&
           leads(configuration.proxy.listen_host, configuration.proxy.listen_port)));
}

std::string upstream_is_itself(const AgentConfig& configuration) {
  return in_quotes(configuration.upstream) +
         " is this agent itself, if no socket of a service manager takes the place of listen: its "
         "calls would come back to it, so that it does not start";
}

const SettingsTable& agent_table() {
  static const SettingsTable table{
      "agent",
      {
          {"region", ValueForm::text, set_region},
          {"region_mismatch", ValueForm::text, set_region_mismatch, "refuse"},
          {"state_dir", ValueForm::path, set_state_dir, "/var/lib/invlog"},
          {"listen", ValueForm::texts, set_listen, "127.0.0.1:4180"},
          {"upstream", ValueForm::text, set_upstream},
          {"ca_bundle", ValueForm::path, set_ca_bundle},
          {"account_id", ValueForm::text, set_account_id},
          {"identity_arn", ValueForm::text, set_identity_arn},
          {"durability", ValueForm::text, set_durability, "group"},
          {"on_overload", ValueForm::text, set_on_overload, "block", true},
          {"on_storage_failure", ValueForm::text, set_on_storage_failure, "pass", true},
          {"max_request_size", ValueForm::size, set_max_request_size, "32MiB"},
          {"max_recorded_response_size", ValueForm::size, set_max_recorded_response_size, "32MiB"},
          {"queue_size", ValueForm::size, set_queue_size, "4MiB"},
          {"connect_timeout", ValueForm::text, set_connect_timeout, "5s"},
          {"idle_timeout", ValueForm::text, set_idle_timeout, "300s"},
          {"stop_timeout", ValueForm::text, set_stop_timeout, "8s"},
          {"log_level", ValueForm::text, set_log_level, "info", true},
          {"log_format", ValueForm::text, set_log_format, "auto"},
          {"allow_remote", ValueForm::boolean, set_allow_remote, "false"},
          {"allow_users", ValueForm::texts, set_allow_users},
          {"allow_groups", ValueForm::texts, set_allow_groups},
          {"allowed_hosts", ValueForm::texts, set_allowed_hosts},
          {"header_timeout", ValueForm::text, set_header_timeout, "10s"},
          {"keep_alive_timeout", ValueForm::text, set_keep_alive_timeout, "600s"},
          {"max_connections", ValueForm::number, set_max_connections, "1024"},
      },
      [](AgentConfig&) {},
      finish,
      false,
      warn};
  return table;
}

}  // namespace invlog::config
