// One of the report's tables as CSV (RFC 4180, with a header). A text that a spreadsheet would take
// for a formula gets an apostrophe in front.
//
// Pure functions; any thread; never throw but for lack of memory.
#pragma once

#include <string>

#include "agent/residency/report_data.h"

namespace invlog::residency {

enum class CsvTable { usage, models, callers, daily, destinations, decisions, unseen, events };

std::string report_csv(const Report& report, CsvTable table);

}  // namespace invlog::residency
