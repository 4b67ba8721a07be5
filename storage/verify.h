// Proves a store: every body against its checksum, every closed segment against its digest (or what
// an erasure made of it), every digest against the one before, rows against the pinned Region,
// chain heads that have left the host against the chain, cursors against the records, SQLite's own
// integrity check. `invlog verify` prints what this returns.
//
// An agent may go on writing. So that its write-ahead log can be emptied, each segment, and each
// check of another kind, is read in a snapshot of its own: a segment is judged as it was then.
// Segments that retention takes before they are read are passed over, those that were begun after
// the start are not looked at. The longest snapshot is that of SQLite's own check, one reading of
// the whole file.
//
// Threads: runs on the caller's, with a connection of its own.
// Errors: problems in the store are results, not exceptions; only a store that cannot be opened
// throws StoreError.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "storage/integrity.h"

namespace invlog::storage {

struct VerifyProblem {
  std::string where;  // "record 17", "segment 3", "file"
  std::string what;   // cause
};

// A chain value of this store that was kept elsewhere, and so cannot have been changed with it.
struct KnownHead {
  std::int64_t segment = 0;
  Sha256 chain{};
  std::string source;  // for people: "--head", "s3://bucket/key"
  // What it is that it cannot be compared, since retention has taken its segment.
  enum class Taken { problem, note, nothing };
  Taken taken = Taken::problem;
};

// What retention took away in front, as the store's newest `retention` event says.
struct TakenByRetention {
  std::int64_t last_segment = 0, last_record = 0;  // that went; no record: 0
  std::int64_t event = 0;                          // its id
  std::int64_t at_us = 0;                          // its time, Unix µs
};

struct VerifyReport {
  std::uint64_t records = 0, segments = 0, closed_segments = 0;  // that were read
  std::uint64_t events = 0;
  std::uint64_t erased = 0;               // records whose bodies were erased
  std::optional<TakenByRetention> taken;  // nothing was
  std::uint64_t body_bytes = 0;           // bytes of all bodies read back
  std::string chain_head;                 // hex SHA-256 of the last closed segment, "" if none
  std::int64_t chain_segment = 0;         // that segment, 0 none
  std::uint64_t heads = 0;                // known heads that the store's chain has
  std::vector<VerifyProblem> notes;       // what could not be compared, and is no problem
  std::vector<VerifyProblem> problems;    // empty: the store is whole
};

// `progress(done, total)` in segments, called while no snapshot is held; may be empty.
VerifyReport verify_store(const std::string& path,
                          const std::function<void(std::uint64_t, std::uint64_t)>& progress,
                          const std::vector<KnownHead>& heads = {});

}  // namespace invlog::storage
