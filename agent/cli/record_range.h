// The records of a span of time, in the store's order: what search and export go through.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "agent/cli/terminal.h"
#include "storage/reader.h"

namespace invlog::cli {

struct TimeRange {
  std::optional<std::int64_t> since_us,
      until_us;  // Unix time, µs, of the call's start; until is exclusive
};

// Visits each record of the range until `visit` returns false. Records are stored when they end, so
// their starts are only nearly in order: the first and the last to look at are found beforehand.
// Thread: the reader's. Throws StoreError.
void each_in_range(storage::Reader& reader, const TimeRange& range, storage::Bodies bodies,
                   Progress& progress, const std::function<bool(storage::StoredRecord&)>& visit);

}  // namespace invlog::cli
