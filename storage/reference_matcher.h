// Finds the longest prefix and suffix that a request body shares with an earlier one of the same
// segment.
//
// A turn of an agent resends the whole conversation and, behind it, the same system prompt and tool
// schemas. What an earlier body of the segment already says becomes (record, length), and only what
// lies between enters the stream.
//
// Memory: no body is kept, only digests (keyed_digest.h) with the record in which each was first
// seen: 24 bytes per new KiB, at most 3 MiB; when the table is full, later bodies find what is in
// it and add nothing, but for one that starts a chain anew: it takes the place of what it repeats.
// Threads: one. Errors: none.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "storage/keyed_digest.h"

namespace invlog::storage {

struct Reference {
  std::uint32_t record = 0;  // index in the segment, from 0
  std::uint64_t length = 0;  // bytes from that body's start (or end); 0: none
};

struct References {
  Reference prefix;
  Reference suffix;
};

class ReferenceMatcher {
 public:
  // A suffix is looked for in this many last bytes: system prompt and tool schemas fit, and it
  // bounds the work.
  static constexpr std::size_t kSuffixBytes = 64 * 1024;
  // Bodies resolve through chains of references; this bounds how long one gets.
  static constexpr std::uint32_t kMaximumDepth = 1024;

  ReferenceMatcher();

  // The next body of the segment: what it shares with earlier ones. prefix.length + suffix.length
  // <= body.size().
  References add(std::string_view body);
  // A new segment begins.
  void clear();

 private:
  struct Slot {
    Digest127 digest;
    std::uint32_t record_plus_one = 0;  // 0: empty
  };

  Slot& slot(const Digest127& digest);
  Reference longest(const std::vector<Digest127>& digests);
  void insert(const std::vector<Digest127>& digests, std::uint32_t record, bool replace);
  void grow();

  KeyedDigest digest_;
  std::vector<Slot> slots_;  // open addressing, a power of two
  std::size_t used_ = 0;
  std::vector<std::uint16_t> depths_;  // per record of the segment
  std::vector<Digest127> from_start_, from_end_;
};

}  // namespace invlog::storage
