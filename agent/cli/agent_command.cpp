#include "agent/cli/agent_command.h"

#include "agent/cli/refused_configuration.h"
#include "agent/cli/store_access.h"
#include "agent/config/config_loader.h"

namespace invlog::cli {

int run_agent_command(const AgentOptions& options, std::ostream& err) {
  config::ConfigSources sources;
  sources.file = options.config_file;
  sources.flags = options.flags;
  sources.environment = options.environment;
  const auto configuration = config::load_agent_config(sources);
  if (!configuration) {
    err << "invlog agent: " << configuration.error() << '\n';
    if (const auto location = config::locate_store(sources, std::nullopt)) {
      note_refused_configuration(location->store_path, configuration.error());
    }
    return kUsageError;
  }
  try {
    return options.run(*configuration);
  } catch (const std::exception& error) {
    err << "invlog agent: " << error.what() << '\n';
    return kFailure;
  }
}

}  // namespace invlog::cli
