// Finding a record by its request id without an index on the table.
//
// Request ids are random, so an index over them would have every commit rewrite a page per record:
// four fifths of what is written for small records. Instead each segment, when it closes, gets a
// sorted list of (last four bytes of the id, number in the segment): 6 bytes a record. A search
// goes through the segments from the newest, by bisection; the open segment is scanned.
//
// Threads: as the connection. Errors: StoreError.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/sqlite_api.h"

namespace invlog::storage {

// Most records that a segment may have, so that two bytes number them.
inline constexpr std::int64_t kMaximumSegmentRecords = 65536;

// The list for the records first..last. `around_damage`: for those of them that can be read.
std::string request_keys(sqlite3* connection, std::int64_t first, std::int64_t last,
                         bool around_damage = false);
// The newest record with this id.
std::optional<std::int64_t> find_request(sqlite3* connection, std::string_view request_id);

}  // namespace invlog::storage
