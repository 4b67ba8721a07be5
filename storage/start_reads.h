// What the start of a writer reads of a store before it writes: apart from Store, so that who only
// looks (`invlog doctor`) makes the same reads and knows whether a start would end with them.
//
// Threads: as the connection. Errors: StoreError from read_newest_numbers(); problems are one clear
// line for a person.
#pragma once

#include <cstdint>
#include <string>

#include "storage/sqlite_api.h"
#include "storage/store_error.h"

namespace invlog::storage {

inline constexpr const char* kAdviceOnDamage =
    "see `invlog verify`, and restore it from a backup or use another state_dir";

// What is written next takes numbers after these. 0: there is none yet.
struct NewestNumbers {
  std::int64_t segment = 0, record = 0, intent = 0;
};
NewestNumbers read_newest_numbers(sqlite3* connection);

// "" if it is not SQLite that found damage. Without the file's name.
std::string damage_problem(const StoreError& error);

// With the file's name; "" if all is readable that a start reads: the newest numbers, and the open
// segment as a whole.
std::string start_problem(sqlite3* connection);

}  // namespace invlog::storage
