// Finds where this host's agent listens, for those who want to call it: what a running agent says,
// else systemd's socket unit, which replaces the configured `listen`, else the configuration.
//
// Reads files and asks systemd once; changes nothing. Thread: any. Errors: one line on `err`.
#pragma once

#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "agent/cli/agent_status.h"
#include "agent/cli/program_environment.h"
#include "agent/cli/proxy_search.h"
#include "agent/service/socket_unit.h"
#include "exporters/aws/credentials.h"

namespace invlog::cli {

struct AgentSearch {
  std::optional<std::string> config_file, state_dir;
  std::optional<std::string> listen;    // one that is given is taken, whatever runs
  CallMode mode = CallMode::automatic;  // `listen` alone means endpoint mode
  std::string default_config_file = "/etc/invlog/invlog.toml";
  aws::Environment environment = aws::process_environment();
  std::function<bool(std::int64_t pid)> is_invlog = process_is_invlog;
  std::function<std::vector<std::string>(const std::string& unit)> sockets_of_unit =
      service::stream_sockets_of_unit;
};

struct FoundAgent {
  AgentEndpoint endpoint;  // in proxy mode: of the proxy
  std::string region;      // "" unknown
  std::optional<ProxyAccess> proxy;
};

// On failure says why and what to do on `err`, and sets `exit_code`: 2 for a configuration that
// cannot be used, 1 where no program can reach the agent by TCP, or not in the mode that was asked
// for.
std::optional<FoundAgent> find_agent(const AgentSearch& search, std::ostream& err, int& exit_code);

// invlog.toml's and REGION/invlog.toml's socket units: "invlog.socket", "invlog@REGION.socket"; ""
// for a configuration that is not the service's.
std::string socket_unit_of(const std::string& config_file, const std::string& default_config_file);

// The first of these addresses that a URL can name. An agent that listens on every address is
// called on loopback. The error says what to do, in `socket_unit` if the agent may have one.
tl::expected<AgentEndpoint, std::string> endpoint_among(const std::vector<std::string>& addresses,
                                                        const std::string& socket_unit = "");

}  // namespace invlog::cli
