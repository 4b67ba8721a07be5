// The digest of a closed segment and the chain from one to the next: what makes a store that was
// changed afterwards detectable. FORMAT.md, "Integrity", says exactly what is hashed. The writer,
// recovery and verification all hash what they read from the tables, with this one function.
//
// Threads: as the connection. Errors: StoreError.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/sqlite_api.h"
#include "storage/statement.h"

namespace invlog::storage {

using Sha256 = std::array<unsigned char, 32>;

// What a segment's digest covers; the "after" values are the last_ ones of the segment before, 0 if
// there is none.
struct SegmentSpan {
  std::int64_t id = 0;
  std::int64_t first_record = 0, last_record = 0;
  std::int64_t after_label = 0, last_label = 0;
  std::int64_t after_event = 0, last_event = 0;
  std::int64_t opened_at = 0, closed_at = 0;
  std::int64_t stream_bytes = 0;
};

Sha256 segment_digest(sqlite3* connection, const SegmentSpan& span);
// The chain's value before the first segment: binds it to the store's Region and birth.
Sha256 chain_start(const std::string& region, const std::string& created_at);
Sha256 chain_next(const Sha256& before, std::int64_t segment, const Sha256& digest);
// A digest over rows that grows with them, whatever the portions: SHA-256 of `before` and the row,
// for each row that `select` gives from where it stands. Begins with zeros.
Sha256 rows_digest(Statement& select, const Sha256& before);

std::string hex(const Sha256& value);
std::optional<Sha256> from_hex(std::string_view text);
std::optional<Sha256> from_bytes(std::string_view bytes);
// Lives as long as `value`.
std::string_view bytes_of(const Sha256& value);

}  // namespace invlog::storage
