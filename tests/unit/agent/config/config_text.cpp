#include "tests/unit/agent/config/config_text.h"

#include "tests/temporary_directory.h"

namespace invlog::tests {

using config::AgentConfig;
using config::ConfigSources;

aws::Environment environment_of(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional<std::string>(found->second);
  };
}

ConfigSources no_sources() {
  ConfigSources sources;
  sources.default_file = "/nonexistent/invlog.toml";
  sources.environment = environment_of({});
  sources.service_files = {"/nonexistent/environment", "/nonexistent/credentials"};
  return sources;
}

ConfigSources with_flags(std::map<std::string, std::string> flags) {
  ConfigSources sources = no_sources();
  sources.flags = std::move(flags);
  return sources;
}

tl::expected<AgentConfig, std::string> from_file(const std::string& text) {
  static const TemporaryDirectory directory;
  ConfigSources sources = no_sources();
  sources.file = directory.write("c.toml", text);
  auto result = config::load_agent_config(sources);
  if (result) {
    return result;
  }
  std::string error = result.error();
  const std::size_t at = error.find(directory.path() + "/");
  if (at != std::string::npos) {
    error.erase(at, directory.path().size() + 1);
  }
  return tl::unexpected(error);
}

std::string error_of(const tl::expected<AgentConfig, std::string>& result) {
  return result ? "(no error)" : result.error();
}

}  // namespace invlog::tests
