// What a report's usage adds up to per model and per caller.
//
// Pure functions; any thread.
#pragma once

#include "agent/residency/report_data.h"

namespace invlog::residency {

struct ModelRow {
  std::string model, profile, scope;
  std::int64_t callers = 0;  // different ones, "unknown" among them
  Volume volume;
};

struct CallerRow {
  std::string caller;
  std::int64_t models = 0;
  Volume volume;
};

// Most calls first, equal ones by name.
std::vector<ModelRow> usage_by_model(const Report& report);
std::vector<CallerRow> usage_by_caller(const Report& report);

}  // namespace invlog::residency
