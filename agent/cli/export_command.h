// `invlog export`: the records as AWS's Model Invocation Logging would have written them, one JSON
// object a line.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>

#include "agent/cli/store_access.h"

namespace invlog::cli {

struct ExportOptions {
  StoreOptions store;
  std::optional<std::string> output;  // a file, which appears whole or not at all; none: `out`
  std::optional<std::int64_t> since_us,
      until_us;  // Unix time, µs, of the call's start; until is exclusive
  bool gzip = false;
  int progress_width = 0;  // of `err`
};

// Exit code 1 if records are damaged: `err` says which, and all others are exported. It also says
// that retention took records which may be of that time; that changes no exit code.
int run_export(const ExportOptions& options, std::ostream& out, std::ostream& err);

}  // namespace invlog::cli
