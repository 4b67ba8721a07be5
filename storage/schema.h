// The store's tables: their SQL (schema.cpp is its one source; FORMAT.md explains it) and the
// numbers that the format fixes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/sqlite_api.h"

namespace invlog::storage {

inline constexpr int kFormatVersion = 1;                    // PRAGMA user_version
inline constexpr std::int64_t kApplicationId = 0x696e766c;  // PRAGMA application_id, "invl"

// Bytes of a segment's frame in each chunk row but its last: with its header exactly one SQLite
// page of 4096.
inline constexpr std::size_t kChunkBytes = 4057;
// A chunk's row id: its segment, and its number in it from 0.
inline constexpr std::int64_t chunk_id(std::int64_t segment, std::int64_t number) {
  return (segment << 24) | number;
}

// An empty last block (RFC 8878, 3.1.1.2): makes a flushed frame a complete one, without the
// compressor's state, so that recovery ends a frame exactly as a planned closing does.
inline constexpr std::string_view kFrameEnd{"\x01\x00\x00", 3};

// "" if `region` can be a store's Region (lower-case letters, digits, hyphens; at most 32), else
// why not.
std::string region_problem(const std::string& region);

// The statements that create the tables, the index and the view of a store pinned to `region`.
std::string schema_sql(const std::string& region);

// The tables of residency (catalogue, CloudTrail), the column `destinations` and the view that
// shows them: added to a store that is older than they are. Opens a transaction of its own if there
// is work. Throws StoreError.
void ensure_residency_tables(sqlite3* connection);
// The statements for the tables; harmless where they are there.
std::string residency_schema_sql();
bool has_destinations(sqlite3* connection);  // the column
bool has_trail(sqlite3* connection);         // the tables

// Views and triggers that no invlog wrote, and `invocations` if it is none of ours: a line for a
// person each. Throws StoreError.
std::vector<std::string> schema_problems(sqlite3* connection);

// The table of the store's changes of host: made with the first one. Throws StoreError.
bool has_host_changes(sqlite3* connection);
// The statement for it; harmless where the table is there.
std::string host_schema_sql();

// Whether a store has the tables of delivery: one older than they are has not. Throws StoreError.
bool has_delivery_tables(sqlite3* connection);
// The same for the names of delivered objects, for the reach of deliveries, for what went where,
// and for the heads that went with it, which came later.
bool has_delivered_objects(sqlite3* connection);
bool has_delivery_reach(sqlite3* connection);
bool has_delivered_ranges(sqlite3* connection);
bool has_delivered_heads(sqlite3* connection);
// Creates them, and their indexes, where they are missing. Opens a transaction of its own if there
// is work. Throws StoreError.
void ensure_delivery_tables(sqlite3* connection);
// The statements for it; harmless where the tables are there.
std::string delivery_schema_sql();

}  // namespace invlog::storage
