// `invlog verify`: proves the store by storage/verify.h and prints what it found.
#pragma once

#include <ostream>

#include "agent/cli/store_access.h"

namespace invlog::cli {

struct VerifyOptions {
  StoreOptions store;
  bool json = false;
  int progress_width = 0;  // of `err`
};

// Exit code 1 if there is a problem.
int run_verify(const VerifyOptions& options, std::ostream& out, std::ostream& err);

}  // namespace invlog::cli
