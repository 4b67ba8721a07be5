#include "agent/cli/agent_search.h"

#include <filesystem>

#include "agent/cli/display_text.h"
#include "agent/cli/store_access.h"
#include "agent/config/config_loader.h"
#include "agent/config/setting_checks.h"

namespace invlog::cli {
namespace {

config::LoadedConfig load(const AgentSearch& search) {
  config::ConfigSources sources;
  sources.file = search.config_file;
  sources.default_file = search.default_config_file;
  sources.environment = search.environment;
  sources.region_optional = true;
  if (search.state_dir)
    sources.flags["state_dir"] = *search.state_dir;
  if (search.listen && search.mode != CallMode::proxy)
    sources.flags["listen"] = *search.listen;
  config::LoadedConfig loaded = config::load_config(sources);
  if (!loaded.problems.empty() && search.listen && !search.config_file) {
    sources.default_file.clear();  // nobody asked for it, and this user may not be let read it
    loaded = config::load_config(sources);
  }
  return loaded;
}

std::vector<std::string> configured_addresses(const config::AgentConfig& configuration) {
  std::vector<std::string> addresses;
  if (!configuration.listen_host.empty())
    addresses.push_back(
        config::host_and_port(configuration.listen_host, configuration.listen_port));
  if (!configuration.listen_socket.empty())
    addresses.push_back("unix:" + configuration.listen_socket);
  return addresses;
}

// Where the agent would have said where it listens, and cannot be heard.
void warn_of_status(const AgentStatus& status, std::ostream& err) {
  if (!status.problem.empty())
    err << "invlog: " << printable(status.problem)
        << ", so nobody says where the agent listens: the configured address is taken\n";
}

// That of the service whose configuration it is, "" none is known.
std::string service_unit(const AgentSearch& search) {
  return search.state_dir ? ""
                          : socket_unit_of(search.config_file.value_or(search.default_config_file),
                                           search.default_config_file);
}

std::vector<std::string> addresses_of(const AgentSearch& search, const AgentStatus& status,
                                      const config::AgentConfig& configuration, std::ostream& err) {
  if (search.listen)
    return configured_addresses(configuration);
  if (status.running && !status.listen.empty())
    return {status.listen};
  const std::string unit = service_unit(search);
  if (!unit.empty()) {
    if (auto sockets = search.sockets_of_unit(unit); !sockets.empty())
      return sockets;
  }
  warn_of_status(status, err);
  return configured_addresses(configuration);
}

// Where it is `localhost`, the agent listens on 127.0.0.1, and a program might try ::1.
std::string host_to_call(const std::string& host) {
  if (host == "0.0.0.0" || host == "localhost")
    return "127.0.0.1";
  return host == "::" ? "::1" : host;
}

}  // namespace

std::string socket_unit_of(const std::string& config_file, const std::string& default_config_file) {
  const std::filesystem::path path(config_file), usual(default_config_file);
  if (path == usual)
    return "invlog.socket";
  const std::filesystem::path folder = path.parent_path();
  if (folder.parent_path() != usual.parent_path() || path.filename() != usual.filename())
    return "";
  return "invlog@" + folder.filename().string() + ".socket";
}

tl::expected<AgentEndpoint, std::string> endpoint_among(const std::vector<std::string>& addresses,
                                                        const std::string& socket_unit) {
  std::string others;
  for (const std::string& address : addresses) {
    AgentEndpoint endpoint;
    if (address.starts_with("unix:") ||
        !config::split_host_and_port(address, endpoint.host, endpoint.port)) {
      others += (others.empty() ? "" : ", ") + address;
      continue;
    }
    endpoint.host = host_to_call(endpoint.host);
    if (endpoint.port == 0) {
      return tl::unexpected(
          "listen is " + address +
          ", so the kernel picks the port when the agent starts, and no running agent was found "
          "that tells it: start the agent, or configure a port");
    }
    return endpoint;
  }
  // 4180 is the first agent's, which a Region's own stands beside.
  const std::string address =
      socket_unit.starts_with("invlog@") ? "127.0.0.1:4190" : "127.0.0.1:4180";
  return tl::unexpected(
      "the agent listens on " + others +
      " only, and no URL can name a Unix socket: add a TCP address, listen = [\"" + address +
      "\", \"unix:...\"], or ListenStream=" + address + " in its socket unit" +
      (socket_unit.empty() ? "" : " (systemctl edit " + socket_unit + ")"));
}

std::optional<FoundAgent> find_agent(const AgentSearch& search, std::ostream& err, int& exit_code) {
  const config::LoadedConfig loaded = load(search);
  if (!loaded.problems.empty()) {
    err << "invlog: " << loaded.problems.front() << '\n';
    if (!search.listen)
      err << "invlog: with --listen HOST:PORT, where the agent listens, no configuration is "
             "needed\n";
    exit_code = kUsageError;
    return std::nullopt;
  }
  const AgentStatus status = read_agent_status(loaded.configuration.state_dir, search.is_invlog);
  const bool tells = status.running && !status.region.empty();
  const std::string& region = tells ? status.region : loaded.configuration.region;
  const auto proxy = find_proxy(search.mode, loaded.configuration, status, search.listen);
  if (!proxy) {
    err << "invlog: " << proxy.error() << '\n';
    exit_code = kFailure;
    return std::nullopt;
  }
  if (!proxy->warning.empty())
    err << "invlog: " << proxy->warning << '\n';
  if (proxy->proxy) {
    if (!search.listen)
      warn_of_status(status, err);
    return FoundAgent{proxy->proxy->endpoint, region, proxy->proxy};
  }
  const auto endpoint =
      endpoint_among(addresses_of(search, status, loaded.configuration, err), service_unit(search));
  if (!endpoint) {
    err << "invlog: " << endpoint.error() << '\n';
    exit_code = kFailure;
    return std::nullopt;
  }
  return FoundAgent{*endpoint, region, std::nullopt};
}

}  // namespace invlog::cli
