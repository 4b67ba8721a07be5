// Which records went to which target (bucket, log group) of a destination, or may have: what was
// given to one stays there when the destination is pointed elsewhere. FORMAT.md, "Delivery".
//
// A range is noted before the first attempt at its records, and how far answers have come after
// each. Records that were refused are in it all the same: their dead letters tell of them.
// Attempts at dead letters are joined to what is beside them, so that there are no more ranges for
// all the times that they are tried again.
//
// Threads: as the connection. Ownership: the connection must outlive it. What changes something
// belongs into the caller's transaction, before the destination's row in `delivery` is changed
// there. Errors: StoreError.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/sqlite_api.h"

namespace invlog::storage {

struct DeliveredRange {
  std::string target;
  std::int64_t first = 0, last = 0;
  std::int64_t answered = 0;  // attempts up to here were answered; the rest may have arrived
};

class DeliveredRanges {
 public:
  DeliveredRanges(sqlite3* connection, std::string_view destination);

  // An attempt at the records from the cursor up to `last`: is it noted, note it, it was answered.
  bool has_attempt(std::string_view target, std::int64_t last);
  void attempt(std::string_view target, std::int64_t last);
  void answer(std::string_view target, std::int64_t last);
  // The same for records that were dead letters.
  void attempt_again(std::string_view target, const std::vector<std::int64_t>& records);
  void answer_again(std::string_view target, std::vector<std::int64_t> records);

  // In the order of the attempts: of two that were answered for one record, the first was a
  // refusal. What an invlog delivered that knows no ranges is one for the target that it left.
  std::vector<DeliveredRange> all();

  struct OfTarget {
    std::string target;
    std::vector<std::pair<std::int64_t, std::int64_t>> records;  // first and last, ascending
    bool under_way = false;                                      // some without an answer
  };
  // The same for people, put together; targets in the order of their first attempts.
  std::vector<OfTarget> by_target();

 private:
  struct Standing;
  struct Row;

  Standing standing();
  std::vector<DeliveredRange> noted();
  std::optional<DeliveredRange> gap(const Standing& standing);
  std::int64_t fill_gap();
  std::optional<std::int64_t> find(std::string_view target, std::int64_t cursor);
  void insert(const DeliveredRange& range);
  std::vector<Row> longer_ranges();
  std::int64_t newest_elsewhere(std::string_view target, std::int64_t record,
                                const std::vector<Row>& longer);
  bool join(std::string_view target, std::int64_t record, std::int64_t after,
            std::vector<Row>& longer);

  sqlite3* connection_;
  const std::string destination_;
};

}  // namespace invlog::storage
