// How the commands that read find and open their store.
#pragma once

#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "agent/config/config_loader.h"
#include "storage/reader.h"

namespace invlog::cli {

// Exit codes: DESIGN.md "Errors".
inline constexpr int kSuccess = 0;
inline constexpr int kFailure = 1;
inline constexpr int kUsageError = 2;

// --config, --state-dir and --store, which every reading command takes.
struct StoreOptions {
  std::optional<std::string> config_file;
  std::optional<std::string> state_dir;
  std::optional<std::string> store;
};

// Where the store is; on failure says why on `err` and sets `exit_code`: kFailure for a store that
// is not there, as for one that is named and is not there.
std::optional<config::StoreLocation> find_store(const StoreOptions& options, std::ostream& err,
                                                int& exit_code);

// The opened store, read-only; on failure null, with the reason on `err` and `exit_code` set.
std::unique_ptr<storage::Reader> open_store(const StoreOptions& options, std::ostream& err,
                                            int& exit_code);
// The same of a place that was found.
std::unique_ptr<storage::Reader> open_store(const config::StoreLocation& location,
                                            std::ostream& err, int& exit_code);

// The same for commands that go by a store only if there is one: null, and `exit_code` as it was,
// where there is none yet and none is named. One that cannot be looked for or read is a failure.
std::unique_ptr<storage::Reader> open_store_if_any(const StoreOptions& options, std::ostream& err,
                                                   int& exit_code);

// `error`, which opening the store gave, with what to do if this user may not read or write it.
enum class StoreUse { reading, writing };
std::string with_advice(const std::string& error, const std::string& store_path,
                        StoreUse use = StoreUse::reading);

// The configuration that goes with a store of `region` ("" no store at hand), for the commands that
// do what the agent does. Errors: as load_agent_config().
tl::expected<config::AgentConfig, std::string> load_configuration(
    const StoreOptions& options, const aws::Environment& environment, const std::string& region);

}  // namespace invlog::cli
