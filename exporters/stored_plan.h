// A batch's plan as the ledger keeps it: with the target that it was made for. A plan is followed
// only there: under another bucket or log group nothing of that batch can have arrived, and what
// the plan says need not make sense.
//
// Pure functions; any thread. Errors: none.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace invlog::exporters {

// {"target":"s3://records-eu","batch":<plan>}. `plan`: one JSON object.
std::string stored_plan(std::string_view target, std::string_view plan);

// The plan in `stored` if it was made for `target`; no value: for another, or not readable.
std::optional<std::string> plan_for(std::string_view target, std::string_view stored);

}  // namespace invlog::exporters
