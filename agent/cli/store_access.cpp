#include "agent/cli/store_access.h"

namespace invlog::cli {

std::optional<config::StoreLocation> find_store(const StoreOptions& options, std::ostream& err,
                                                int& exit_code) {
  config::ConfigSources sources;
  sources.file = options.config_file;
  sources.environment = aws::process_environment();
  if (options.state_dir) {
    sources.flags["state_dir"] = *options.state_dir;
  }
  auto location = config::locate_store(sources, options.store);
  if (!location) {
    err << "invlog: " << location.error() << '\n';
    exit_code = kUsageError;
    return std::nullopt;
  }
  return *location;
}

std::unique_ptr<storage::Reader> open_store(const StoreOptions& options, std::ostream& err,
                                            int& exit_code) {
  const auto location = find_store(options, err, exit_code);
  if (!location) {
    return nullptr;
  }
  auto reader = storage::Reader::open(location->store_path);
  if (!reader) {
    err << "invlog: " << reader.error() << '\n';
    exit_code = kFailure;
    return nullptr;
  }
  return std::move(*reader);
}

}  // namespace invlog::cli
