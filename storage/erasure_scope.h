// Which records an erasure is about: what a person asked for, evaluated without writing anything.
//
// Threads: as the reader. Errors: an expression that SQLite does not take is a result; everything
// else throws StoreError.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "storage/reader.h"

namespace invlog::storage {

// One or the other.
struct ErasureScope {
  std::string where;  // an SQL expression over the view `invocations`
  std::vector<std::string> request_ids;
};

struct ErasureSelection {
  struct Segment {
    std::int64_t id = 0;
    bool closed = false;
    std::vector<std::int64_t> records;  // ids, ascending
    std::int64_t body_bytes = 0;        // of them
  };
  std::vector<Segment> segments;  // that have any, ascending
  std::int64_t records = 0;
  std::int64_t body_bytes = 0;      // of their requests and responses
  std::int64_t already_erased = 0;  // records in scope that lost their bodies before, not in
                                    // `segments`
  std::vector<std::string> unknown_request_ids;
  // Records that the condition could not be asked of (damaged ones, whose bodies it looks into), in
  // none of the above, ascending; and what was wrong with the first.
  std::vector<std::int64_t> unjudged;
  std::string unjudged_why;
};

// "" or why this is not one expression, in a line for a person; select_for_erasure() asks it, too.
// It is looked at without the brackets that it gets around it when it is evaluated: within them
// "1) OR (1" would be two that together mean every record.
std::string expression_problem(sqlite3* connection, const std::string& where);

// Records up to `last_record`. The error is one line for a person.
tl::expected<ErasureSelection, std::string> select_for_erasure(
    Reader& reader, const ErasureScope& scope,
    std::int64_t last_record = std::numeric_limits<std::int64_t>::max());

// What of a scope can be kept for ever: the expression without its texts, comments and numbers of 5
// digits or more, which may be the very thing that is to be forgotten ("caller = '...'").
std::string lasting_criterion(const ErasureScope& scope);

// [1,2,3,7] -> "[[1,3],[7,7]]", at most so many ranges; those behind are left out.
std::string ranges_json(const std::vector<std::int64_t>& ascending, std::size_t most);

}  // namespace invlog::storage
