// What the destinations say of a store's chain, for `invlog verify --delivered`: each was given the
// chain's head of the moment with the records, and whoever changed or put back the store could not
// change it there.
//
// Threads: one. Errors: a destination that cannot be asked is a result with the reason.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "agent/cli/delivery_access.h"
#include "exporters/destination.h"

namespace invlog::cli {

struct DeliveredHeads {
  std::string destination, target;
  // Those that were found there, the one given last first; empty if it has none of this store.
  tl::expected<std::vector<exporters::KeptHead>, std::string> heads;
  // By the ledger, the segment whose head was left there last; 0: none, or nobody noted it.
  std::int64_t given = 0;
  // A record that was delivered there so late that a head should have gone with it; 0: none.
  std::int64_t due = 0;
};

// Asks each destination of the configuration, over the network. Empty: none is configured, or
// nothing was ever delivered from this store.
std::vector<DeliveredHeads> ask_for_heads(const DeliveryAccess& access, const DeliveryWorld& world);

}  // namespace invlog::cli
