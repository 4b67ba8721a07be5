// TOML files, flags and defaults to AgentConfig. Every error says file:line:column (or the flag),
// the cause, and the nearest known key for a misspelt one. Tables and keys: settings.h, and
// systemd/invlog.toml for people. Flags are [agent]'s keys only.
//
// The files: the named one (or the default one), and conf.d/*.toml beside it in the order of their
// names. Each is laid over those before it, key by key; a later array replaces an earlier one.
//
// Any thread; reads the file system once, changes nothing.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "agent/config/agent_config.h"
#include "agent/config/config_file.h"
#include "agent/service/service_files.h"
#include "exporters/aws/credentials.h"

namespace invlog::config {

struct ConfigSources {
  std::optional<std::string> file;  // --config FILE; absent: default_file if it exists
  std::string default_file = "/etc/invlog/invlog.toml";
  // A running agent reads them again: what can be read only once is an error then, not empty. Else
  // only `file` may be such a one.
  bool again = false;
  std::map<std::string, std::string>
      flags;                     // key as in [agent] ("listen") to its value from the command line
  aws::Environment environment;  // AWS_REGION, AWS_DEFAULT_REGION for the Region
  // The Region of the EC2 instance that this host is, "" if it is none. Asked if nothing else says
  // the Region; empty: not asked.
  std::function<std::string()> instance_region;
  // The Region that a store at hand is pinned to, "" none at hand. It wins over the environment's;
  // another one in the file or a flag is an error.
  std::string store_region;
  bool has_region_flag = true;  // the command has --region, which an error may then advise
  // That nothing says the Region is no problem: whatever depends on it is not checked then.
  bool region_optional = false;
  service::ServiceFiles service_files;  // where the service has a Region that a command has not
};

struct LoadedConfig {
  AgentConfig configuration;       // not to be used if there are problems
  GivenTables given;               // all that is no default, the Region among it
  std::vector<std::string> files;  // which were read, in this order
  Problems problems;               // all that was found
  Problems warnings;               // what is taken, and yet probably not what was meant
  bool main_file_speaks = false;   // the named or default file has a table or a key
};

// Unknown tables are problems, also those that a later invlog will know.
LoadedConfig load_config(const ConfigSources& sources);

// What `given` comes to, the Region among it, with what is wrong with it.
struct AssembledConfig {
  AgentConfig configuration;
  Problems problems;
  Problems warnings;
};
AssembledConfig assemble_config(const GivenTables& given);

// The same, if only the first problem counts.
tl::expected<AgentConfig, std::string> load_agent_config(const ConfigSources& sources);

// For commands that only need a store: --store FILE, else --state-dir DIR (the one *.db in it;
// several: the error lists them), else the configured state_dir and Region. Only the last needs the
// configuration: files that can be read, with known names and values of the right form, and a
// state_dir and a Region that are right. What other values mean, in whichever table, and whether
// they fit together is no matter of whoever reads.
struct StoreLocation {
  std::string store_path;
  std::string state_dir;  // where the agent that writes it says of itself what it says
};
struct NoStore {
  std::string cause;
  bool misconfigured = true;  // else all is well said, but there is no store, or none for this user
  bool absent = false;        // there is none
};
tl::expected<StoreLocation, NoStore> locate_store(const ConfigSources& sources,
                                                  const std::optional<std::string>& store);

}  // namespace invlog::config
