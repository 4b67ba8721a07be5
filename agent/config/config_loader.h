// TOML file, flags and defaults to AgentConfig. Every error says file:line:column (or the flag),
// the cause, and the nearest known key for a misspelt one. Keys: [agent] region, state_dir, listen,
// upstream, account_id, durability, on_overload, on_storage_failure and the rest of AgentConfig's,
// see systemd/invlog.toml.
//
// Any thread; reads the file system once, changes nothing.
#pragma once

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
};

// Unknown tables that other parts own ([exporters], [policy], ...) are errors too until those parts
// exist.
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
