// SQLite trusts a damaged page: asked for the rows from a number on, it may give one with a smaller
// number. Whoever goes on behind what he was given would then go round for ever.
//
// Threads: any. Errors: StoreError, as of a damaged file.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "storage/sqlite_api.h"
#include "storage/store_error.h"

namespace invlog::storage {

inline constexpr std::int64_t kLastNumber = std::numeric_limits<std::int64_t>::max();

inline std::int64_t number_behind(std::int64_t id) {
  return id == kLastNumber ? id : id + 1;
}

// `id`: of the row that came when those from `first` to `last` were asked for.
inline void require_order(std::int64_t id, std::int64_t first, std::int64_t last = kLastNumber) {
  if (id < first || id > last) {
    throw StoreError("rows are out of order: number " + std::to_string(id) +
                         " came where those from " + std::to_string(first) +
                         " on were asked for; the store was damaged, see `invlog verify`",
                     SQLITE_CORRUPT);
  }
}

}  // namespace invlog::storage
