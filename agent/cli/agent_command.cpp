#include "agent/cli/agent_command.h"

#include <utility>

#include "agent/cli/refused_configuration.h"
#include "agent/cli/store_access.h"
#include "agent/config/config_loader.h"
#include "agent/config/unusable_configuration.h"

namespace invlog::cli {
namespace {

// Asks once, whoever wants to know.
std::function<std::string()> asked_once(std::function<std::string()> instance_region) {
  return [ask = std::move(instance_region), known = std::optional<std::string>()]() mutable {
    if (!known) {
      known = ask ? ask() : "";
    }
    return *known;
  };
}

// What the instance says against the Region, "" nothing.
std::string mismatch_of(const config::AgentConfig& configuration,
                        const std::function<std::string()>& instance_region) {
  if (configuration.region_mismatch == config::RegionMismatch::allow) {
    return "";
  }
  const std::string of_instance = instance_region();
  if (of_instance.empty() || of_instance == configuration.region) {
    return "";
  }
  return "region is \"" + configuration.region + "\", but this host is an EC2 instance in \"" +
         of_instance +
         "\": records stay in the Region where the calls are made. Configure that Region, or, if "
         "this host really calls Bedrock in " +
         configuration.region + ", set region_mismatch = \"allow\" below [agent]";
}

int refuse(const config::ConfigSources& sources, const std::string& reason, std::ostream& err) {
  err << "invlog agent: " << reason << '\n';
  if (const auto location = config::locate_store(sources, std::nullopt)) {
    note_refused_configuration(location->store_path, reason);
  }
  return kUsageError;
}

}  // namespace

int run_agent_command(const AgentOptions& options, std::ostream& err) {
  config::ConfigSources sources;
  sources.file = options.config_file;
  sources.flags = options.flags;
  sources.environment = options.environment;
  sources.instance_region = asked_once(options.instance_region);
  config::LoadedConfig loaded = config::load_config(sources);
  if (!loaded.problems.empty()) {
    return refuse(sources, loaded.problems.front(), err);
  }
  if (const std::string mismatch = mismatch_of(loaded.configuration, sources.instance_region);
      !mismatch.empty()) {
    return refuse(sources, mismatch, err);
  }
  try {
    const config::AgentConfig configuration = loaded.configuration;
    config::ConfigReloader reloader(sources, std::move(loaded));
    return options.run(configuration, reloader);
  } catch (const config::UnusableConfiguration& error) {
    return refuse(sources, error.what(), err);
  } catch (const std::exception& error) {
    err << "invlog agent: " << error.what() << '\n';
    return kFailure;
  }
}

}  // namespace invlog::cli
