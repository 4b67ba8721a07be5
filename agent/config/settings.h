// The [agent] keys, each with how its text becomes a member of AgentConfig. One table for the file
// and the flags, so that both know the same keys and check them alike.
//
// Pure functions; any thread. Errors: the cause without the place, which the caller knows.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config/agent_config.h"

namespace invlog::config {

struct Setting {
  std::string_view key;
  bool takes_list = false;     // an array of strings in the file, comma-separated in a flag
  bool takes_integer = false;  // a bare number in the file stands for its text
  // Checks `values` (one, unless takes_list) and sets the member; the error if they do not fit.
  std::optional<std::string> (*apply)(AgentConfig& configuration,
                                      const std::vector<std::string>& values);
};

const std::vector<Setting>& settings();
const Setting* find_setting(std::string_view key);
std::vector<std::string_view> setting_keys();

// What only all settings together show: the default upstream, a Region that does not fit the
// upstream, an account that does not fit the identity. `key` names the setting to blame.
struct Mismatch {
  std::string key, cause;
};
std::optional<Mismatch> finish(AgentConfig& configuration);

}  // namespace invlog::config
