// `invlog status`: the store (records, sizes, time span, last errors, events), the agent that
// writes it, and how far each destination is.
#pragma once

#include <cstdint>
#include <functional>
#include <ostream>

#include "agent/cli/agent_status.h"
#include "agent/cli/store_access.h"
#include "storage/time_text.h"

namespace invlog::cli {

struct StatusOptions {
  StoreOptions store;
  bool json = false;
  int terminal_width = 0;  // tables are cut to it; 0: they are not
  std::function<bool(std::int64_t pid)> is_invlog = process_is_invlog;
  aws::Environment environment = aws::process_environment();
  std::function<std::int64_t()> clock = storage::system_now_us;  // Unix time in µs
};

// A stopped agent is no failure, nor is a configuration that does not fit the store; a store that
// cannot be read is.
int run_status(const StatusOptions& options, std::ostream& out, std::ostream& err);

}  // namespace invlog::cli
