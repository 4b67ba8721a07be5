// TOML file, flags and defaults to AgentConfig. Every error says file:line:column (or the flag),
// the cause, and the nearest known key for a misspelt one. Tables and keys: settings.h, and
// systemd/invlog.toml for people. Flags are [agent]'s keys only.
//
// Any thread; reads the file system once, changes nothing.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "agent/config/agent_config.h"
#include "exporters/aws/credentials.h"

namespace invlog::config {

struct ConfigSources {
  std::optional<std::string> file;  // --config FILE; absent: default_file if it exists
  std::string default_file = "/etc/invlog/invlog.toml";
  std::map<std::string, std::string>
      flags;                     // key as in [agent] ("listen") to its value from the command line
  aws::Environment environment;  // AWS_REGION, AWS_DEFAULT_REGION for the Region
  // The Region of the EC2 instance that this host is, "" if it is none. Asked if nothing else says
  // the Region; empty: not asked.
  std::function<std::string()> instance_region;
  // The Region that a store at hand is pinned to, "" none at hand. It wins over the environment's;
  // another one in the file or a flag is an error.
  std::string store_region;
};

// Unknown tables are errors, also those that a later invlog will know.
tl::expected<AgentConfig, std::string> load_agent_config(const ConfigSources& sources);

// For commands that only need a store: --store FILE, else --state-dir DIR (the one *.db in it;
// several: the error lists them), else the configured state_dir and Region.
struct StoreLocation {
  std::string store_path;
  std::string state_dir;
};
tl::expected<StoreLocation, std::string> locate_store(const ConfigSources& sources,
                                                      const std::optional<std::string>& store);

}  // namespace invlog::config
