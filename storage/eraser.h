// Takes the bodies of records out of a store, for good, while its agent may be writing: closed
// segments are written anew without them, one in a transaction, each with an `erased` event in it
// (FORMAT.md, "Erasure", has what stays, what the event says and what it proves).
//
// Why segments and not records: later requests of a segment refer to earlier ones, and one
// compressed stream holds them all.
//
// An open segment is the agent's, whose compressor holds what went into it. close_segments() asks
// the agent to close it (a file beside the store that its writer looks for), or closes it itself if
// no agent has the store open.
//
// Threads: one. Ownership: its own connection, and the lock that keeps a second eraser away.
// Errors: open() returns why it could not; everything else throws StoreError, and then the segments
// that were done stay done, and the rest as they were: it can be run again.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "storage/erasure_scope.h"
#include "storage/file_lock.h"
#include "storage/integrity.h"
#include "storage/store_file.h"

namespace invlog::storage {

struct EraserOptions {
  std::string path;                            // <state_dir>/<region>.db
  std::string why;                             // what a person says, kept in the event; "" nothing
  std::string criterion;                       // lasting_criterion(), kept in the event
  std::string vfs;                             // SQLite VFS by name, "" the default
  std::chrono::milliseconds patience{30'000};  // with an agent or a reader
  std::function<std::int64_t()> clock;         // now, Unix µs; empty: the system's
  std::function<void(std::chrono::milliseconds)> sleep;  // empty: the thread's
};

class Eraser {
 public:
  static tl::expected<std::unique_ptr<Eraser>, std::string> open(EraserOptions options);
  ~Eraser();
  Eraser(const Eraser&) = delete;
  Eraser& operator=(const Eraser&) = delete;

  // Sees to it that no segment with a record up to `last_record` is open. Throws if the agent does
  // not close its segment in time.
  void close_segments(std::int64_t last_record);
  // `segment`: a closed one, and those of its records whose bodies are to go. False: retention took
  // the segment meanwhile. Throws, with nothing changed, if it is not what its digest says: an
  // erasure must not make what was changed look right.
  bool erase(const ErasureSelection::Segment& segment);
  // Puts the events into the chain where no agent does that later, and empties the write-ahead log,
  // which holds pages as they were. False: somebody reads in a long transaction, and it could not
  // be emptied in time.
  bool finish();

 private:
  struct Rewritten;

  Eraser(EraserOptions options, std::unique_ptr<FileLock> lock, Connection connection);
  bool agent_is_running();
  void recover();
  bool segment_is_open(std::int64_t last_record);
  template <typename Condition>
  bool comes_true(std::chrono::milliseconds patience, const Condition& condition);
  std::optional<SegmentSpan> span_of(std::int64_t segment, Sha256& recorded);
  Rewritten encode(const SegmentSpan& span, const std::vector<std::int64_t>& records);
  bool write(const ErasureSelection::Segment& segment, SegmentSpan& span, const Sha256& before,
             const Rewritten& rewritten);
  void replace_chunks(const SegmentSpan& span, const std::string& stream);
  void await_deliveries();
  void clear_rows(const std::vector<std::int64_t>& records);
  void add_event(const ErasureSelection::Segment& segment, const Sha256& before,
                 const Sha256& after);

  const EraserOptions options_;
  const std::unique_ptr<FileLock> lock_;
  const Connection connection_;
};

// The file whose presence asks the writer of the store at `store_path` to close its open segment;
// the writer removes it when that is done.
std::string close_request_path(const std::string& store_path);

}  // namespace invlog::storage
