// `invlog tail [-f]`: the newest records, and with -f each new one as it is committed.
//
// Following polls SQLite's data_version, which a commit of any process changes: no lock, nothing
// asked of the agent, so it goes on through an agent's restart. A store that is replaced by a new
// file is opened anew.
#pragma once

#include <functional>
#include <ostream>

#include "agent/cli/store_access.h"

namespace invlog::cli {

struct TailOptions {
  StoreOptions store;
  std::int64_t records = 10;  // how many of the newest to begin with
  bool follow = false;
  bool json = false;
  int terminal_width = 0;  // lines are cut to it; 0: they are not
  // Called between two looks at the store when following; false ends it. By default it sleeps 200
  // ms.
  std::function<bool()> wait;
};

int run_tail(const TailOptions& options, std::ostream& out, std::ostream& err);

}  // namespace invlog::cli
