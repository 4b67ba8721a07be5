// `invlog query SQL`: any reading SQL over a store, with invlog_request, invlog_response,
// invlog_record and invlog_contains.
#pragma once

#include <ostream>
#include <string>

#include "agent/cli/row_format.h"
#include "agent/cli/store_access.h"

namespace invlog::cli {

struct QueryOptions {
  StoreOptions store;
  std::string sql;  // one statement or several
  RowFormat format = RowFormat::table;
  int terminal_width = 0;  // 0: the output is no terminal, nothing is cut
};

// Exit code 1 for SQL that is wrong (said with its place on `err`) or that would write.
int run_query(const QueryOptions& options, std::ostream& out, std::ostream& err);

}  // namespace invlog::cli
