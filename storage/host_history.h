// Of which host a record is. The row of `store` names the host that the store was born on; where it
// was moved, or its host renamed, a row of `host_change` names the next one, from the first record
// on that was made under that name, and an event `host-changed` tells the same in the chain
// (FORMAT.md, "Integrity").
//
// Threads: as the connection. Ownership: none of it. Errors: StoreError.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/sqlite_api.h"

namespace invlog::storage {

// Records of one host. That does not change any more: `last` is no later than the newest record, or
// than the one that was asked for.
struct HostSpan {
  std::int64_t first = 0, last = 0;
  std::string host;  // "" not known
};

// That the store was born on, "" not known.
std::string first_host(sqlite3* connection);
HostSpan host_span(sqlite3* connection, std::int64_t record);
// Of the records to come, as long as no change is written.
std::string current_host(sqlite3* connection);

struct HostChange {
  std::int64_t first_record = 0;
  std::string from, to;
  std::int64_t at_us = 0;  // of the event, as host_changes() reads it; 0 not known
};
inline constexpr const char* kHostChanged = "host-changed";  // the event's kind
std::string host_change_details(const HostChange& change);   // and its details
// All of them, in the order of their records.
std::vector<HostChange> host_changes(sqlite3* connection);
// Inside the write transaction that writes the event, and before any record from `first_record` on
// is there.
void write_host_change(sqlite3* connection, const HostChange& change);

}  // namespace invlog::storage
