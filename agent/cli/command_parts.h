// What the arguments of several commands have in common.
//
// How commands have their arguments in files of their own (`..._arguments.h`): an object adds them
// to the application, keeps what they are parsed into, and chooses what is to run; it must outlive
// the parsing and what was chosen. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "agent/cli/row_format.h"
#include "agent/cli/store_access.h"

namespace CLI {
class App;
}

namespace invlog::cli {

struct CommandLineContext;

// Called when the command line asks for a command, with what runs it and returns the exit code.
using Choose = std::function<void(std::function<int()>)>;

// `examples`: lines, each indented by two spaces.
CLI::App* add_command(CLI::App& parent, const char* name, const char* description,
                      const char* examples);

// --config, --state-dir and --store.
void add_store_options(CLI::App* command, StoreOptions& options);

// Text that --since and --until turn into a moment.
struct TimeRangeOptions {
  std::optional<std::string> since, until;
};
void add_time_options(CLI::App* command, TimeRangeOptions& options);
// In µs since 1970. Throws CLI::ValidationError, which names `flag`.
std::optional<std::int64_t> moment(const char* flag, const std::optional<std::string>& text);

// --json and --csv.
void add_formats(CLI::App* command, RowFormat& format);

// --destination.
void add_destination(CLI::App* command, std::string& destination, const char* description);

// Of the terminal that progress may be shown on, 0: none. Progress and output on the same one would
// run into each other.
int progress_width(const CommandLineContext& context);

}  // namespace invlog::cli
