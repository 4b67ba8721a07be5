// `invlog verify`: proves the store by storage/verify.h and prints what it found.
#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "agent/cli/delivery_access.h"
#include "agent/cli/store_access.h"

namespace invlog::cli {

struct VerifyOptions {
  StoreOptions store;
  // Chain heads that were kept elsewhere, each SEGMENT:HEX.
  std::vector<std::string> heads;
  std::optional<std::string> heads_file;  // one in a line, and at least one
  bool delivered = false;                 // ask the destinations for the head that they keep
  DeliveryWorld world;                    // asked then
  bool json = false;
  int progress_width = 0;  // of `err`
};

// Exit code 1 if there is a problem or a destination could not be asked, 2 if a head is none or
// `heads_file` has none.
int run_verify(const VerifyOptions& options, std::ostream& out, std::ostream& err);

}  // namespace invlog::cli
