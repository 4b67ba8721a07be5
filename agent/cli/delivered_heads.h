// What the destinations say of a store's chain, for `invlog verify --delivered`: each was given the
// chain's head of the moment with the records, and whoever changed or put back the store could not
// change it there.
//
// Threads: one. Errors: a destination that cannot be asked is a result with the reason.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "agent/cli/delivery_access.h"
#include "exporters/destination.h"

namespace invlog::cli {

struct DeliveredHead {
  std::string destination, target;
  // The newest head there; none if it has none of this store.
  tl::expected<std::optional<exporters::KeptHead>, std::string> head;
};

// Asks each destination of the configuration, over the network. Empty: none is configured, or
// nothing was ever delivered from this store.
std::vector<DeliveredHead> ask_for_heads(const DeliveryAccess& access, const DeliveryWorld& world);

}  // namespace invlog::cli
