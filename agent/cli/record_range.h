// The records of a span of time, in the store's order: what search and export go through.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "agent/cli/terminal.h"
#include "storage/reader.h"

namespace invlog::cli {

struct TimeRange {
  std::optional<std::int64_t> since_us,
      until_us;  // Unix time, µs, of the call's start; until is exclusive
};

// Whether no time is in the range, which is then said on `err`: nobody is to take what came of a
// mistake for a time without calls.
bool is_empty(const TimeRange& range, const std::string& command, std::ostream& err);

// Records that could not be visited: the store was damaged or changed there, or retention took them
// while those before them were visited.
struct LeftOutRecords {
  static constexpr std::size_t kMostTold = 20;

  std::int64_t damaged = 0;
  std::vector<std::string> told;                         // what is wrong with the first of them
  std::int64_t gone = 0, first_gone = 0, last_gone = 0;  // ids, of any time

  bool any() const { return damaged > 0 || gone > 0; }
  // On `err`, which is to have no progress on it any more.
  void print(const std::string& command, std::ostream& err) const;
};

// Visits each record of the range until `visit` returns false, but for those that are damaged:
// nobody is to lose all others because of one. Records are stored when they end, so their starts
// are only nearly in order: the first and the last to look at are found beforehand.
// Thread: the reader's. Throws StoreError.
LeftOutRecords each_in_range(storage::Reader& reader, const TimeRange& range,
                             storage::Bodies bodies, Progress& progress,
                             const std::function<bool(storage::StoredRecord&)>& visit);

}  // namespace invlog::cli
