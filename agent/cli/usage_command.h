// `invlog usage`: calls, errors, tokens and latency per model, day, caller, or what policy said.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>

#include "agent/cli/row_format.h"
#include "agent/cli/store_access.h"

namespace invlog::cli {

enum class UsageBy { model, day, caller, decision, profile, scope };

struct UsageOptions {
  StoreOptions store;
  UsageBy by = UsageBy::model;
  std::optional<std::int64_t> since_us,
      until_us;  // Unix time, µs, of the call's start; until is exclusive
  RowFormat format = RowFormat::table;
  int terminal_width = 0;
};

int run_usage(const UsageOptions& options, std::ostream& out, std::ostream& err);

}  // namespace invlog::cli
