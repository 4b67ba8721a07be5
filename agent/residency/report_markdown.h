// The report as Markdown (GitHub's: with tables), readable as it stands. Pictures are left out:
// the tables have their figures.
//
// Pure functions; any thread; never throw but for lack of memory.
#pragma once

#include <string>
#include <string_view>

#include "agent/residency/report_data.h"

namespace invlog::residency {

std::string report_markdown(const Report& report);

// One line in which nothing is Markdown or HTML any more: for table cells too.
std::string escaped_markdown(std::string_view text);

}  // namespace invlog::residency
