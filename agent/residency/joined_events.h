// Which events a reconciliation has joined in earlier batches: the same event may be in several
// files far apart, as where an organization and an account have trails into one folder.
//
// Why a temporary table of SQLite's: it grows with what is read, and is on the disk, where SQLite
// puts temporary files (SQLITE_TMPDIR, TMPDIR, /var/tmp, /tmp; without a name there). It has ids
// only. A reconciliation of one batch makes none.
//
// Threads: one. Errors: StoreError.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "agent/residency/event_batch.h"

namespace invlog::residency {

class JoinedEvents {
 public:
  JoinedEvents();
  ~JoinedEvents();
  JoinedEvents(const JoinedEvents&) = delete;
  JoinedEvents& operator=(const JoinedEvents&) = delete;

  // Takes out of a batch, as sort_events() leaves it, what an earlier one had, and returns how many
  // that were. `last`: no other batch follows, so that this one need not be remembered.
  std::int64_t drop_known(std::vector<CompactEvent>& batch, bool last);

 private:
  class Table;
  std::unique_ptr<Table> table_;
};

}  // namespace invlog::residency
