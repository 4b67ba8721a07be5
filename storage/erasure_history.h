// What the store's `erased` events say of each segment: from which digest its rows were taken to
// which, and which records lost their bodies (FORMAT.md, "Erasure").
//
// A closed segment's digest and chain value stay as they were for ever, so that heads that have
// left the host stay true; these events say what the rows digest to since.
//
// Threads: as the connection, which only the constructor uses. Errors: StoreError. Events that say
// nothing that can be used are results.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "storage/integrity.h"
#include "storage/sqlite_api.h"

namespace invlog::storage {

struct SegmentErasure {
  std::int64_t event = 0;    // its id
  std::int64_t records = 0;  // that lost their bodies
  Sha256 before{}, after{};  // the segment's digest
};

class ErasureHistory {
 public:
  explicit ErasureHistory(sqlite3* connection);

  // What the rows of a segment, whose digest was `recorded` when it closed, must digest to now.
  Sha256 expected(std::int64_t segment, const Sha256& recorded) const;
  // "" if the segment's erasures follow from `recorded`, one from the other, else which does not.
  std::string problem(std::int64_t segment, const Sha256& recorded, std::int64_t last_event) const;
  // Records of a segment that lost their bodies.
  std::int64_t records(std::int64_t segment) const;

  // By segment, in the order of events.
  const std::map<std::int64_t, std::vector<SegmentErasure>>& segments() const { return segments_; }
  // Ids of `erased` events that cannot be read.
  const std::vector<std::int64_t>& unreadable() const { return unreadable_; }

 private:
  std::map<std::int64_t, std::vector<SegmentErasure>> segments_;
  std::vector<std::int64_t> unreadable_;
};

}  // namespace invlog::storage
