// `invlog status`: the store (records, sizes, time span, last errors, events) and the agent that
// writes it.
#pragma once

#include <cstdint>
#include <functional>
#include <ostream>

#include "agent/cli/agent_status.h"
#include "agent/cli/store_access.h"

namespace invlog::cli {

struct StatusOptions {
  StoreOptions store;
  bool json = false;
  std::function<bool(std::int64_t pid)> is_invlog = process_is_invlog;
};

// A stopped agent is no failure; a store that cannot be read is.
int run_status(const StatusOptions& options, std::ostream& out, std::ostream& err);

}  // namespace invlog::cli
