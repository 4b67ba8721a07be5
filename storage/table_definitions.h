// Whether the tables that digests cover are still defined as schema.cpp defines them. A digest
// covers values in the order of their columns, not the columns' names: under exchanged names the
// same values would say something else.
//
// Threads: as the connection. Errors: StoreError.
#pragma once

#include <string>
#include <vector>

#include "storage/sqlite_api.h"

namespace invlog::storage {

// What is not as a store pinned to `region` has it, a line for a person each. Names, types, order,
// constraints and the generated column with the Region are compared, word for word; comments and
// white space are not, and a store that was given a column later has it as if from the start.
std::vector<std::string> table_problems(sqlite3* connection, const std::string& region);

}  // namespace invlog::storage
