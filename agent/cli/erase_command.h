// `invlog erase`: takes the bodies of chosen records out of the store for good (storage/eraser.h),
// and says where else they are, and which of them have request metadata, which stays. Without --yes
// it only says what it would do.
#pragma once

#include <chrono>
#include <ostream>
#include <string>

#include "agent/cli/store_access.h"
#include "storage/erasure_scope.h"

namespace invlog::cli {

struct EraseOptions {
  StoreOptions store;
  storage::ErasureScope scope;
  std::string reason;
  bool yes = false;
  bool json = false;
  int progress_width = 0;                      // of `err`
  std::chrono::milliseconds patience{30'000};  // with an agent that is to close its segment
};

// Exit code 1 if not all of it was done, a record could not be looked into, or a request id is
// unknown (then nothing is), 2 if the scope cannot be understood.
int run_erase(const EraseOptions& options, std::ostream& out, std::ostream& err);

}  // namespace invlog::cli
