#include "agent/cli/config_command.h"

#include <filesystem>
#include <string>
#include <vector>

#include "agent/capture/upstream_endpoint.h"
#include "agent/cli/display_text.h"
#include "agent/cli/store_access.h"
#include "agent/config/effective_config.h"
#include "agent/config/json_strings.h"
#include "agent/config/settings.h"
#include "agent/proxy/certificate_authority.h"
#include "storage/json_writer.h"

namespace invlog::cli {
namespace {

config::LoadedConfig load(const ConfigOptions& options) {
  config::ConfigSources sources = options.sources;
  sources.instance_region = {};
  sources.region_optional = true;
  config::LoadedConfig loaded = config::load_config(sources);
  // The service's sockets and environment are others: what is wrong with these may not be its
  // problem. An agent knows, and says so itself.
  const config::AgentConfig& configuration = loaded.configuration;
  const std::string& upstream = configuration.upstream;
  if (loaded.problems.empty() && !upstream.empty()) {
    if (config::calls_itself(configuration,
                             proxy::CertificateAuthority::exists(configuration.state_dir))) {
      loaded.warnings.push_back("upstream: " + config::upstream_is_itself(configuration));
    }
    if (const auto endpoint = capture::parse_upstream(upstream, sources.environment); !endpoint) {
      loaded.warnings.push_back(endpoint.error() +
                                "; an agent with this environment would not start");
    }
  }
  return loaded;
}

int print_check(const config::LoadedConfig& loaded, std::ostream& out) {
  const bool valid = loaded.problems.empty();
  const std::string& region = loaded.configuration.region;
  std::string line = "{";
  storage::append_json_raw(line, "valid", valid ? "true" : "false");
  if (region.empty()) {
    storage::append_json_raw(line, "region", "null");
  } else {
    storage::append_json_member(line, "region", region);
  }
  storage::append_json_raw(line, "files", config::json_strings(loaded.files));
  storage::append_json_raw(line, "problems", config::json_strings(loaded.problems));
  storage::append_json_raw(line, "warnings", config::json_strings(loaded.warnings));
  out << line << "}\n";
  return valid ? kSuccess : kUsageError;
}

void print_problems(const char* command, const config::Problems& problems, std::ostream& err) {
  for (const std::string& problem : problems) {
    err << "invlog " << command << ": " << printable(problem) << '\n';
  }
}

}  // namespace

int run_check_config(const ConfigOptions& options, std::ostream& out, std::ostream& err) {
  const config::LoadedConfig loaded = load(options);
  if (options.json) {
    return print_check(loaded, out);
  }
  for (const std::string& file : loaded.files) {
    out << "read " << printable(file) << '\n';
  }
  if (loaded.files.empty()) {
    const std::string file = options.sources.file.value_or(options.sources.default_file);
    std::error_code ignored;
    const bool absent = std::filesystem::symlink_status(file, ignored).type() ==
                        std::filesystem::file_type::not_found;
    out << (absent ? "no file was read: " + printable(file) + " does not exist"
                   : "nothing could be used of " + printable(file))
        << (loaded.problems.empty() ? "; every key has its default\n" : "\n");
  }
  print_problems("check-config: warning", loaded.warnings, err);
  if (!loaded.problems.empty()) {
    print_problems("check-config", loaded.problems, err);
    return kUsageError;
  }
  const std::string& region = loaded.configuration.region;
  out << "the configuration is valid"
      << (region.empty() ? ", but says no Region: the agent will ask the EC2 instance that it runs "
                           "on, and what depends on the Region was not checked\n"
                         : ", source Region " + region + "\n");
  return kSuccess;
}

int run_config_effective(const ConfigOptions& options, std::ostream& out, std::ostream& err) {
  const config::LoadedConfig loaded = load(options);
  if (!loaded.problems.empty()) {
    print_problems("config", loaded.problems, err);
    return kUsageError;
  }
  const auto tables = config::effective_values(loaded, options.sources.environment);
  if (options.json) {
    out << config::effective_json(tables) << '\n';
    return kSuccess;
  }
  for (const std::string& file : loaded.files) {
    out << "# from " << printable(file) << '\n';
  }
  out << (loaded.files.empty() ? "" : "\n") << config::effective_toml(tables);
  return kSuccess;
}

}  // namespace invlog::cli
