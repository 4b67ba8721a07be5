// What a store may grow to, as the writer is told ([retention] in the configuration). FORMAT.md,
// "Retention", says what is done about it.
//
// Plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace invlog::storage {

struct RetentionOptions {
  // The least that max_size_bytes may be; Writer refuses less.
  static constexpr std::uint64_t kSmallestSize = 16 << 20;

  std::uint64_t max_size_bytes = 0;  // of database file and write-ahead log, 0: no limit
  std::chrono::seconds max_age{0};   // of a record, 0: no limit; it is kept a tenth longer at most
  // A record that one of `destinations` has not got yet stays. Nothing can be kept when max_size is
  // reached and nothing may go: then a commit fails as on a full disk.
  bool keep_undelivered = true;
  std::vector<std::string> destinations;  // as in the delivery ledger; none: all may go
};

}  // namespace invlog::storage
