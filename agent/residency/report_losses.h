// What a store no longer has of a report's period: retention takes the oldest segments, what went
// with them, and rows of unseen calls (FORMAT.md, "Retention"). What is left adds up all the same,
// so a report that says nothing of it presents a remainder as the whole.
//
// Thread: that of the connection. Errors: StoreError.
#pragma once

#include <sqlite3.h>

#include "agent/residency/report_data.h"

namespace invlog::residency {

TakenByRetention read_taken(sqlite3* connection, const Period& period);

// Fills in `listed` of the reconciliations, `unseen_gone` and `gone_may_be_beside`; reads
// `reconciliations`. The store has the tables.
void read_gone_unseen(sqlite3* connection, const Period& period, const TakenByRetention& taken,
                      Coverage& coverage);

}  // namespace invlog::residency
