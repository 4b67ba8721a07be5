// What a store may grow to, as the writer is told ([retention] in the configuration). FORMAT.md,
// "Retention", says what is done about it.
//
// Plain values, and what follows from them for whoever writes to the file, the writer or others.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace invlog::storage {

struct RetentionOptions {
  // The least that max_size_bytes may be; Writer refuses less.
  static constexpr std::uint64_t kSmallestSize = 16 << 20;

  // Of max_size: what rows that others than recorded calls bring may take of it, each kind of them.
  static constexpr std::uint64_t kShare = 8;
  static constexpr std::uint64_t kPageBytes = 4096;
  // With the index, in pages that ids in no order leave half empty.
  static constexpr std::uint64_t kUnseenRowBytes = 768;

  std::uint64_t max_size_bytes = 0;  // of database file and write-ahead log, 0: no limit
  std::chrono::seconds max_age{0};   // of a record, 0: no limit; it is kept a tenth longer at most
  // A record that one of `destinations` has not got yet stays. Nothing can be kept when max_size is
  // reached and nothing may go: then a commit fails as on a full disk.
  bool keep_undelivered = true;
  std::vector<std::string> destinations;  // as in the delivery ledger; none: all may go

  bool capped() const { return max_size_bytes != 0; }
  // Rows of unseen calls that are not the first to go.
  std::int64_t unseen_share() const {
    return static_cast<std::int64_t>(max_size_bytes / kShare / kUnseenRowBytes);
  }
  // At which the write-ahead log is copied into the file.
  std::uint64_t log_bytes() const {
    constexpr std::uint64_t kLeast = 128 << 10, kMost = 4 << 20;
    return capped() ? std::clamp<std::uint64_t>(max_size_bytes / 128, kLeast, kMost) : kMost;
  }
  // Rows that may each be on a page of its own, so that their transaction fits into that.
  std::int64_t scattered_rows() const {
    return static_cast<std::int64_t>(log_bytes() / kPageBytes);
  }
};

}  // namespace invlog::storage
