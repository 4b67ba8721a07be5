#include "storage/erasure_history.h"

#include "storage/statement.h"

namespace invlog::storage {

ErasureHistory::ErasureHistory(sqlite3* connection) {
  Statement events(connection,
                   "SELECT id, count, details ->> '$.segment', details ->> '$.before', "
                   "details ->> '$.after' FROM (SELECT id, count, CASE WHEN json_valid(details) "
                   "THEN details ELSE '{}' END AS details FROM event WHERE kind = 'erased') "
                   "ORDER BY id");
  while (events.step()) {
    SegmentErasure erasure;
    erasure.event = events.integer(0);
    erasure.records = events.integer(1);
    const std::int64_t segment = events.integer(2);
    const auto before = from_hex(events.bytes(3)), after = from_hex(events.bytes(4));
    if (segment <= 0 || erasure.records <= 0 || !before || !after) {
      unreadable_.push_back(erasure.event);
      continue;
    }
    erasure.before = *before;
    erasure.after = *after;
    segments_[segment].push_back(erasure);
  }
}

Sha256 ErasureHistory::expected(std::int64_t segment, const Sha256& recorded) const {
  const auto found = segments_.find(segment);
  return found == segments_.end() ? recorded : found->second.back().after;
}

std::string ErasureHistory::problem(std::int64_t segment, const Sha256& recorded,
                                    std::int64_t last_event) const {
  const auto found = segments_.find(segment);
  if (found == segments_.end()) {
    return "";
  }
  Sha256 digest = recorded;
  for (const SegmentErasure& erasure : found->second) {
    if (erasure.before != digest) {
      return "the erasure that event " + std::to_string(erasure.event) +
             " tells of did not begin with what this segment was then";
    }
    if (erasure.event <= last_event) {
      return "event " + std::to_string(erasure.event) +
             " tells of its erasure, and is older than the segment itself";
    }
    digest = erasure.after;
  }
  return "";
}

std::int64_t ErasureHistory::records(std::int64_t segment) const {
  std::int64_t records = 0;
  if (const auto found = segments_.find(segment); found != segments_.end()) {
    for (const SegmentErasure& erasure : found->second) {
      records += erasure.records;
    }
  }
  return records;
}

}  // namespace invlog::storage
