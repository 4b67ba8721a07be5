// Configurations as tests write them: text in a file of its own, and nothing of the host that runs
// the test.
#pragma once

#include <map>
#include <string>

#include "agent/config/config_loader.h"

namespace invlog::tests {

aws::Environment environment_of(std::map<std::string, std::string> variables);

// No default file, an empty environment.
config::ConfigSources no_sources();
config::ConfigSources with_flags(std::map<std::string, std::string> flags);

// The text as c.toml. Errors come back with "c.toml:1:1: ..." in place of the whole path.
tl::expected<config::AgentConfig, std::string> from_file(const std::string& text);
std::string error_of(const tl::expected<config::AgentConfig, std::string>& result);

inline const std::string kRegion = "[agent]\nregion = \"eu-central-1\"\n";

}  // namespace invlog::tests
