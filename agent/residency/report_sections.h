// The sections of a report that are not about volume: used by report_document() alone.
//
// Pure functions; any thread.
#pragma once

#include "agent/residency/report_document.h"

namespace invlog::residency {

Cell number_cell(std::int64_t number);
Cell name_cell(const std::string& name);  // "" is "unknown"
Cell name_or(const std::string& name, const char* otherwise);
Cell text_or_unknown(const std::string& text);

Section head_section(const Report& report);
Section decision_section(const Report& report);
Section coverage_section(const Report& report);
Section integrity_section(const Report& report);
Section event_section(const Report& report);
Section delivery_section(const Report& report);
Section reading_section();

}  // namespace invlog::residency
