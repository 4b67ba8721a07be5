// [admin].
#include "agent/config/listen_setting.h"
#include "agent/config/own_address.h"
#include "agent/config/settings.h"

namespace invlog::config {
namespace {

SettingError set_admin_listen(AgentConfig& configuration, const SettingValues& addresses) {
  AdminConfig& admin = configuration.admin;
  SettingError error =
      set_listen_addresses({admin.listen_host, admin.listen_port, admin.listen_socket}, addresses,
                           {"4182", "/run/invlog/admin.sock"});
  if (!error && !admin.listen_host.empty() && !is_loopback_host(admin.listen_host)) {
    error = in_quotes(host_and_port(admin.listen_host, admin.listen_port)) +
            " is not a loopback address: metrics and health are for this host only; let its "
            "monitoring agent, or a proxy that knows who asks, pass them on";
  }
  return error;
}

SettingError set_ready_needs_credentials(AgentConfig& configuration, const SettingValues& values) {
  set_truth(configuration.admin.ready_needs_credentials, values.front());
  return std::nullopt;
}

Mismatches check_admin(AgentConfig& configuration) {
  const AdminConfig& admin = configuration.admin;
  const bool same_port = collide({admin.listen_host, admin.listen_port},
                                 {configuration.listen_host, configuration.listen_port});
  const bool same_socket =
      !admin.listen_socket.empty() && admin.listen_socket == configuration.listen_socket;
  if (same_port || same_socket) {
    return {{"listen", "applications reach the agent there already (listen below [agent])",
             "agent.listen"}};
  }
  return {};
}

}  // namespace

const SettingsTable& admin_table() {
  static const SettingsTable table{
      "admin",
      {
          {"listen", ValueForm::texts, set_admin_listen},
          {"ready_needs_credentials", ValueForm::boolean, set_ready_needs_credentials, "true"},
      },
      [](AgentConfig&) {},
      check_admin};
  return table;
}

}  // namespace invlog::config
