// The segments that were read last, decoded: reading bodies one after the other decodes each
// segment once, and only as far as it was asked for.
//
// Memory: at most `capacity` segments, each about its stream's length. Threads: one. Ownership: the
// connection must outlive it; no statement stays open between calls. Errors: StoreError naming the
// segment.
#pragma once

#include <cstdint>
#include <list>
#include <memory>

#include "storage/segment_decoder.h"
#include "storage/statement.h"

namespace invlog::storage {

struct SegmentPlace {
  std::int64_t id = 0;
  std::int64_t first_record = 0;
  std::int64_t last_record = 0;   // the largest integer while it is open
  std::int64_t stream_bytes = 0;  // 0 while it is open
};

class SegmentCache {
 public:
  explicit SegmentCache(sqlite3* connection, std::size_t capacity = 2);

  // The segment's decoder, fed at least to the end of entry `index`. Valid until the next call.
  const SegmentDecoder& decoded(const SegmentPlace& place, std::size_t index);

 private:
  struct Slot {
    std::int64_t segment;
    std::uint64_t fed = 0;  // compressed bytes
    std::unique_ptr<SegmentDecoder> decoder;
  };

  void feed(Slot& slot, std::size_t index);

  sqlite3* connection_;
  std::size_t capacity_;
  std::list<Slot> slots_;  // the most recent first
};

}  // namespace invlog::storage
