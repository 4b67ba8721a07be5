// The report as one HTML file that needs nothing else: no script, no external resource, pictures
// as SVG; well-formed XML too. Plainly light, and laid out for A4 when printed.
//
// Pure function; any thread; never throws but for lack of memory.
#pragma once

#include <string>

#include "agent/residency/report_data.h"

namespace invlog::residency {

std::string report_html(const Report& report);

}  // namespace invlog::residency
