// A batch's plan as the ledger keeps it: with the target that it was made for. A plan is followed
// only there (Destination::is_same_target()): under another bucket or log group nothing of that
// batch can have arrived, and what the plan says need not make sense.
//
// Pure functions; any thread. Errors: none.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace invlog::exporters {

// {"target":"s3://records-eu","batch":<plan>}. `plan`: one JSON object.
std::string stored_plan(std::string_view target, std::string_view plan);

struct StoredPlan {
  std::string target, plan;
};
// No value: it is not readable.
std::optional<StoredPlan> read_stored_plan(std::string_view stored);

}  // namespace invlog::exporters
