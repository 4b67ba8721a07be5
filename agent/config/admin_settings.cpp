// [admin].
#include "agent/config/settings.h"

namespace invlog::config {
namespace {

bool is_local_host(std::string_view host) {
  return host == "localhost" || host == "::1" ||
         (host.starts_with("127.") && all_digits(host.substr(host.rfind('.') + 1)) &&
          host.find_first_not_of("0123456789.") == std::string_view::npos);
}

SettingError set_admin_address(AdminConfig& admin, const std::string& address) {
  if (!split_host_and_port(address, admin.listen_host, admin.listen_port)) {
    return in_quotes(address) +
           " is no address to listen on: write \"127.0.0.1:4182\", \"[::1]:4182\" or "
           "\"unix:/run/invlog/admin.sock\"";
  }
  if (!is_local_host(admin.listen_host)) {
    return in_quotes(address) +
           " is not a loopback address: metrics and health are for this host only; let its "
           "monitoring agent, or a proxy that knows who asks, pass them on";
  }
  return std::nullopt;
}

SettingError set_admin_socket(AdminConfig& admin, const std::string& path) {
  constexpr std::size_t kLongestSocketPath = 107;  // sockaddr_un
  if (path.empty() || path.front() != '/' || path.size() > kLongestSocketPath) {
    return in_quotes("unix:" + path) +
           " needs an absolute path of 107 bytes at most: \"unix:/run/invlog/admin.sock\"";
  }
  admin.listen_socket = path;
  return std::nullopt;
}

SettingError set_admin_listen(AgentConfig& configuration, const SettingValues& addresses) {
  constexpr std::string_view kUnixPrefix = "unix:";
  AdminConfig& admin = configuration.admin;
  admin.listen_host.clear();
  admin.listen_socket.clear();
  for (const std::string& address : addresses) {
    const bool socket = address.starts_with(kUnixPrefix);
    if (!(socket ? admin.listen_socket : admin.listen_host).empty()) {
      return in_quotes(address) + " is one too many: one HOST:PORT and one unix:PATH at most";
    }
    const SettingError error = socket ? set_admin_socket(admin, address.substr(kUnixPrefix.size()))
                                      : set_admin_address(admin, address);
    if (error) {
      return error;
    }
  }
  return std::nullopt;
}

SettingError set_ready_needs_credentials(AgentConfig& configuration, const SettingValues& values) {
  set_truth(configuration.admin.ready_needs_credentials, values.front());
  return std::nullopt;
}

std::optional<Mismatch> check_admin(AgentConfig& configuration) {
  const AdminConfig& admin = configuration.admin;
  const bool same_port = !admin.listen_host.empty() && admin.listen_port != 0 &&
                         admin.listen_port == configuration.listen_port &&
                         admin.listen_host == configuration.listen_host;
  const bool same_socket =
      !admin.listen_socket.empty() && admin.listen_socket == configuration.listen_socket;
  if (same_port || same_socket) {
    return Mismatch{"listen", "applications reach the agent there already (listen below [agent])"};
  }
  return std::nullopt;
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
