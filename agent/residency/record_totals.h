// Adds up the records of a period in one pass: by everything that a report groups calls by, in
// label numbers; the labels are looked up at the end.
//
// Why by hand: it takes half the time of SQL's GROUP BY, which sorts all rows.
//
// Thread: that of the connection. Errors: StoreError.
#pragma once

#include <sqlite3.h>

#include "agent/residency/report_data.h"

namespace invlog::residency {

// Fills in `total`, `usage`, `flows`, `days`, `decisions`, and of `coverage` what is counted in
// records; reads `period` and `coverage.covered`.
void add_up_records(sqlite3* connection, Report& report, const ReportProgress& progress);

}  // namespace invlog::residency
