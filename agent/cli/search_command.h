// `invlog search TEXT`: which bodies contain a text, or what a record's details keep of them
// (storage/details_match.h).
//
// Bodies are decoded in the store's order, each segment once, with memory for one. Text in a JSON
// body may stand there escaped (\u00fc for ü, \" for "), so each form in which JSON writers put it
// is looked for.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>

#include "agent/cli/store_access.h"

namespace invlog::cli {

struct SearchOptions {
  StoreOptions store;
  std::string text;
  storage::Bodies where = storage::Bodies::both;
  std::optional<std::int64_t> since_us,
      until_us;            // Unix time, µs, of the call's start; until is exclusive
  std::int64_t limit = 0;  // matching records, 0: all
  bool json = false;
  int progress_width = 0;  // of `err`
};

// Finding nothing is success, and said on `err`. Exit code 1 if a record is damaged.
int run_search(const SearchOptions& options, std::ostream& out, std::ostream& err);

}  // namespace invlog::cli
