// `invlog show ID|REQUEST-ID`: one record with its bodies.
#pragma once

#include <ostream>
#include <string>

#include "agent/cli/store_access.h"

namespace invlog::cli {

enum class ShowWhat {
  everything,  // for people
  json,        // one object: the columns of `invocations`, and the bodies
  record,      // the line of AWS's schema
  request,     // the body's bytes and nothing else
  response,
};

struct ShowOptions {
  StoreOptions store;
  std::string id;  // a record's number, or a request id
  ShowWhat what = ShowWhat::everything;
  bool terminal = false;  // JSON is then shown without what a terminal would obey
};

int run_show(const ShowOptions& options, std::ostream& out, std::ostream& err);

}  // namespace invlog::cli
