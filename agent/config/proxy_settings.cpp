// [proxy].
#include "agent/config/own_address.h"
#include "agent/config/settings.h"
#include "agent/proxy/bedrock_hosts.h"
#include "agent/proxy/certificate_authority.h"

namespace invlog::config {
namespace {

constexpr std::uint16_t kHttpsPort = 443;

SettingError set_proxy_listen(AgentConfig& configuration, const SettingValues& values) {
  const std::string& address = values.front();
  ProxyConfig& proxy = configuration.proxy;
  if (address.empty()) {
    proxy.listen_host.clear();
    return std::nullopt;
  }
  if (!split_host_and_port(address, proxy.listen_host, proxy.listen_port)) {
    return in_quotes(address) +
           " is no address to listen on: write \"127.0.0.1:4181\", \"[::1]:4181\", or \"\" for no "
           "proxy mode";
  }
  return listen_host_problem(proxy.listen_host);
}

SettingError set_other_hosts(AgentConfig& configuration, const SettingValues& values) {
  return choose<OtherHosts>(configuration.proxy.other_hosts, values.front(),
                            {{"tunnel", OtherHosts::tunnel}, {"refuse", OtherHosts::refuse}});
}

SettingError set_other_regions(AgentConfig& configuration, const SettingValues& values) {
  return choose<OtherRegions>(configuration.proxy.other_regions, values.front(),
                              {{"refuse", OtherRegions::refuse}, {"flag", OtherRegions::flag}});
}

SettingError set_hosts(AgentConfig& configuration, const SettingValues& values) {
  configuration.proxy.hosts.clear();
  for (const std::string& value : values) {
    std::string name = proxy::dns_name_of(value);
    if (name.empty()) {
      return in_quotes(value) +
             " is no DNS name: write, for instance, \"bedrock.corp.example\", without scheme, port "
             "or *";
    }
    configuration.proxy.hosts.push_back(std::move(name));
  }
  return std::nullopt;
}

SettingError set_connect_to(AgentConfig& configuration, const SettingValues& values) {
  const std::string& text = values.front();
  ProxyConfig& settings = configuration.proxy;
  settings.connect_host.clear();
  settings.connect_port = kHttpsPort;
  if (text.empty()) {
    return std::nullopt;
  }
  const bool has_port = text.find(':', text.rfind(']') + 1) != std::string::npos;
  const auto authority =
      proxy::parse_authority(has_port ? text : text + ":" + std::to_string(kHttpsPort));
  if (!authority) {
    return in_quotes(text) + " is no host to connect to: write HOST, HOST:PORT or [IPv6]:PORT (" +
           authority.error() + ")";
  }
  settings.connect_host = authority->host;
  settings.connect_port = authority->port;
  return std::nullopt;
}

// Why a host is not the Region's, if its name says so.
SettingError region_problem(const std::string& host, const std::string& region) {
  const auto named = region_of_aws_host(host);
  const bool other_bedrock =
      proxy::BedrockHosts(region, {}).judge(host) == proxy::BedrockHosts::Kind::other_region;
  if (!other_bedrock && (!named || *named == region)) {
    return std::nullopt;
  }
  return in_quotes(host) + " is AWS's, and not in this Region by its name; region is " +
         in_quotes(region) + ": one agent serves one source Region";
}

std::optional<Mismatch> listen_conflict(const AgentConfig& configuration, bool has_authority) {
  const ProxyConfig& proxy = configuration.proxy;
  if (proxy.listen_host.empty()) {
    return std::nullopt;
  }
  const std::string address = in_quotes(host_and_port(proxy.listen_host, proxy.listen_port));
  if (!is_loopback_host(proxy.listen_host) && !configuration.access.allow_remote) {
    return Mismatch{"listen",
                    address +
                        " is not a loopback address: whoever reaches it has its connections "
                        "made by this host, so proxy mode listens on 127.0.0.1 or [::1] only, "
                        "unless allow_remote = true below [agent]",
                    "agent.allow_remote"};
  }
  const AdminConfig& admin = configuration.admin;
  // The default is no wish for proxy mode, which only an authority turns on.
  const ProxyConfig defaults;
  const bool may_be_off = proxy.listen_host == defaults.listen_host &&
                          proxy.listen_port == defaults.listen_port && !has_authority;
  const ListenPlace own{proxy.listen_host, proxy.listen_port};
  if (!may_be_off &&
      listen_address(proxy.listen_host) != listen_address(configuration.listen_host) &&
      collide(own, {configuration.listen_host, configuration.listen_port})) {
    return Mismatch{
        "listen",
        "proxy mode listens on " + address + ", and applications reach the agent on " +
            in_quotes(host_and_port(configuration.listen_host, configuration.listen_port)) +
            " (listen below [agent]): write the same address in both, which then share it, or "
            "another port",
        "agent.listen"};
  }
  if (!may_be_off && collide(own, {admin.listen_host, admin.listen_port})) {
    return Mismatch{"listen",
                    "proxy mode listens on " + address +
                        ", and so do metrics and health (listen below [admin]): give one of them "
                        "another port",
                    "admin.listen"};
  }
  return std::nullopt;
}

Mismatches check_proxy(AgentConfig& configuration) {
  Mismatches mismatches;
  const bool has_authority = proxy::CertificateAuthority::exists(configuration.state_dir);
  if (auto conflict = listen_conflict(configuration, has_authority)) {
    mismatches.push_back(std::move(*conflict));
  }
  const ProxyConfig& proxy = configuration.proxy;
  for (const std::string& host : proxy.hosts) {
    if (const SettingError problem = region_problem(host, configuration.region)) {
      mismatches.push_back({"hosts", *problem, "agent.region"});
    }
  }
  if (listen_address(proxy.connect_host) == listen_address(proxy.listen_host) &&
      proxy.connect_port == proxy.listen_port && !proxy.listen_host.empty()) {
    mismatches.push_back(
        {"connect_to", "proxy mode itself listens there: it would call itself", "listen"});
  }
  if (const SettingError problem = region_problem(proxy.connect_host, configuration.region)) {
    mismatches.push_back({"connect_to", *problem, "agent.region"});
  }
  return mismatches;
}

}  // namespace

SettingError problem_with_authority(const AgentConfig& configuration) {
  if (auto conflict = listen_conflict(configuration, true)) {
    return std::move(conflict->cause);
  }
  const bool comes_to_be = calls_itself(configuration, true) && !calls_itself(configuration, false);
  return comes_to_be ? SettingError(upstream_is_itself(configuration)) : std::nullopt;
}

const SettingsTable& proxy_table() {
  static const SettingsTable table{
      "proxy",
      {
          {"listen", ValueForm::text, set_proxy_listen, "127.0.0.1:4181"},
          {"other_hosts", ValueForm::text, set_other_hosts, "tunnel"},
          {"other_regions", ValueForm::text, set_other_regions, "refuse"},
          {"hosts", ValueForm::texts, set_hosts},
          {"connect_to", ValueForm::text, set_connect_to},
      },
      [](AgentConfig&) {},
      check_proxy};
  return table;
}

}  // namespace invlog::config
