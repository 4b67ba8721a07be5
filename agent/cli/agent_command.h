// `invlog agent`: configuration from file, flags and defaults, then the daemon.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <ostream>
#include <string>

#include "agent/config/config_reloader.h"
#include "exporters/aws/credentials.h"

namespace invlog::cli {

// The daemon, with how to read its configuration again; returns the exit code.
using RunAgent = std::function<int(const config::AgentConfig&, config::ConfigReloader&)>;

struct AgentOptions {
  std::optional<std::string> config_file;
  std::map<std::string, std::string> flags;  // key of [agent] to the flag's value
  aws::Environment environment;
  // As aws::instance_region(); empty: there is no instance.
  std::function<std::string()> instance_region;
  RunAgent run;  // run_agent
};

// Exit code 2 for a configuration that cannot be used, 1 for an agent that cannot start or go on,
// each with one line on `err`.
int run_agent_command(const AgentOptions& options, std::ostream& err);

}  // namespace invlog::cli
