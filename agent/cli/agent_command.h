// `invlog agent`: configuration from file, flags and defaults, then the daemon.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <ostream>
#include <string>

#include "agent/config/agent_config.h"
#include "exporters/aws/credentials.h"

namespace invlog::cli {

struct AgentOptions {
  std::optional<std::string> config_file;
  std::map<std::string, std::string> flags;  // key of [agent] to the flag's value
  aws::Environment environment;
  // As aws::instance_region(); empty: there is no instance.
  std::function<std::string()> instance_region;
  std::function<int(const config::AgentConfig&)> run;  // run_agent
};

// Exit code 2 for a configuration that cannot be used, 1 for an agent that cannot start or go on,
// each with one line on `err`.
int run_agent_command(const AgentOptions& options, std::ostream& err);

}  // namespace invlog::cli
