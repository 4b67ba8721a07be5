// A Record as a row of the `record` table, both ways.
//
// Threads: as the connection. Errors: StoreError.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "storage/label_table.h"
#include "storage/reader.h"
#include "storage/record.h"
#include "storage/statement.h"

namespace invlog::storage {

// In `flags`: the bodies were erased (FORMAT.md, "Erasure").
inline constexpr std::int64_t kErasedFlag = 32;

// A record whose bodies have gone into the segment's stream.
struct RecordRow {
  std::int64_t id = 0;
  Record record;  // bodies empty
  std::int64_t request_bytes = 0, response_bytes = 0;
  std::uint64_t checksum = 0;
  bool erased = false;  // as read
};

// The checksum of a record's bodies; the id is part of it, so that one record's bodies never pass
// for another's.
std::uint64_t body_checksum(std::int64_t id, std::string_view request, std::string_view response);

// The texts of a record that become labels, in the order of the columns that insert_record() binds.
using LabelTexts = std::array<std::string_view, 16>;
LabelTexts label_texts(const Record& record);

// INSERT with one parameter for each stored column.
std::string insert_record_sql();
void insert_record(Statement& insert, const RecordRow& row, LabelWriter& labels);

// "SELECT <columns> FROM record "; add WHERE. What CloudTrail said of a record is in it.
std::string select_record_sql(sqlite3* connection);
// The row that `select` stands on.
RecordRow read_record(Statement& select, LabelReader& labels);

}  // namespace invlog::storage
