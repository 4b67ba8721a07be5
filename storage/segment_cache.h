// The segments that were read last, decoded: reading bodies one after the other decodes each
// segment once, and only as far as it was asked for.
//
// An open segment is fed on as it grows, from where it was left; that it is still the same stream
// is checked against the last bytes fed. A damaged segment gives what lies before the damage, and
// does not decode again and again to find it.
//
// Memory: at most `capacity` segments, each about its stream's length and 2 MiB. Threads: one.
// Ownership: the connection must outlive it; no statement stays open between calls. Errors:
// StoreError naming the segment.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>

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
  // Gives all memory back.
  void clear() { slots_.clear(); }

 private:
  struct Slot {
    std::int64_t segment = 0;
    std::int64_t chunk = 0;  // number of the one that was fed last
    std::string fed;         // its bytes
    std::unique_ptr<SegmentDecoder> decoder;
    std::string damage;  // why it cannot be fed further, "" if it can
  };

  Slot& slot_of(const SegmentPlace& place);
  static void restart(Slot& slot, const SegmentPlace& place);
  void feed(Slot& slot, const SegmentPlace& place, std::size_t index);
  static void feed_chunk(Slot& slot, std::string_view bytes, std::size_t index);

  sqlite3* connection_;
  std::size_t capacity_;
  std::list<Slot> slots_;  // the most recent first
};

}  // namespace invlog::storage
