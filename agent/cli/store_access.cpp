#include "agent/cli/store_access.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "agent/config/permission_advice.h"
#include "agent/delivery/aws_access.h"
#include "storage/store_file.h"

namespace invlog::cli {

namespace {

config::ConfigSources sources_of(const StoreOptions& options, const aws::Environment& environment) {
  config::ConfigSources sources;
  sources.file = options.config_file;
  sources.environment = environment;
  if (options.state_dir) {
    sources.flags["state_dir"] = *options.state_dir;
  }
  return sources;
}

bool is_denied(const std::string& path, int use) {
  return ::access(path.c_str(), use) != 0 && errno == EACCES;
}

tl::expected<config::StoreLocation, config::NoStore> located(const StoreOptions& options) {
  return config::locate_store(sources_of(options, aws::process_environment()), options.store);
}

int tell(const config::NoStore& no_store, std::ostream& err) {
  err << "invlog: " << no_store.cause << '\n';
  return no_store.misconfigured ? kUsageError : kFailure;
}

// Not so where a folder may not be entered, a link leads nowhere, or only a copy is there as yet:
// whoever opens the store says that.
bool is_absent(const std::string& store_path) {
  std::error_code ignored;
  const auto absent = [&ignored](const std::filesystem::path& path) {
    return std::filesystem::symlink_status(path, ignored).type() ==
           std::filesystem::file_type::not_found;
  };
  return absent(store_path) && absent(storage::whole_copy_path(store_path));
}

}  // namespace

std::optional<config::StoreLocation> find_store(const StoreOptions& options, std::ostream& err,
                                                int& exit_code) {
  auto location = located(options);
  if (!location) {
    exit_code = tell(location.error(), err);
    return std::nullopt;
  }
  return std::move(*location);
}

std::unique_ptr<storage::Reader> open_store(const StoreOptions& options, std::ostream& err,
                                            int& exit_code) {
  const auto location = find_store(options, err, exit_code);
  return location ? open_store(*location, err, exit_code) : nullptr;
}

std::unique_ptr<storage::Reader> open_store(const config::StoreLocation& location,
                                            std::ostream& err, int& exit_code) {
  auto reader = storage::Reader::open(location.store_path);
  if (!reader) {
    err << "invlog: " << with_advice(reader.error(), location.store_path) << '\n';
    exit_code = kFailure;
    return nullptr;
  }
  return std::move(*reader);
}

std::unique_ptr<storage::Reader> open_store_if_any(const StoreOptions& options, std::ostream& err,
                                                   int& exit_code) {
  const auto location = located(options);
  if (!location) {
    exit_code = location.error().absent ? exit_code : tell(location.error(), err);
    return nullptr;
  }
  const bool none_yet = !options.store && is_absent(location->store_path);
  return none_yet ? nullptr : open_store(*location, err, exit_code);
}

std::string with_advice(const std::string& error, const std::string& store_path, StoreUse use) {
  const std::filesystem::path path(storage::resolved_store_path(store_path));
  const std::string directory = path.has_parent_path() ? path.parent_path().string() : ".";
  if (use == StoreUse::reading &&
      (is_denied(store_path, R_OK) || is_denied(directory, R_OK | X_OK))) {
    return error + "; " + config::advice_to_read(path);
  }
  if (use == StoreUse::writing && ::access(store_path.c_str(), W_OK) != 0 && errno == EROFS) {
    return error + "; its file system is mounted read-only";
  }
  // A reader, too, where the store has no log that it could read beside the agent's.
  const bool unwritable =
      is_denied(store_path, R_OK | W_OK) || is_denied(directory, R_OK | W_OK | X_OK);
  return unwritable ? error + "; " + config::advice_to_write(path) : error;
}

tl::expected<config::AgentConfig, std::string> load_configuration(
    const StoreOptions& options, const aws::Environment& environment, const std::string& region) {
  config::ConfigSources sources = sources_of(options, environment);
  sources.store_region = region;
  sources.has_region_flag = false;
  sources.instance_region = [environment] { return delivery::region_of_instance(environment); };
  return config::load_agent_config(sources);
}

}  // namespace invlog::cli
