// Holds a store to its size and age: takes away whole segments, oldest first, and gives pages back
// to the file system, in steps of a few milliseconds between the writer's groups. FORMAT.md,
// "Retention", has the rules and what the event says.
//
// Why before a commit and not after: the limit is for what is on the disk, so room is made first.
// At the limit the file keeps its length, and pages of segments that went are used again; it is cut
// only where it is longer than it need be.
//
// Threads: the writer's. Ownership: the connection is Store's and must outlive it. Errors:
// StoreError; make_room() also throws it if the limit is reached and nothing may go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "storage/clock_watch.h"
#include "storage/retention_base.h"
#include "storage/retention_options.h"
#include "storage/statement.h"

namespace invlog::storage {

class Retention {
 public:
  // `clock`: now, Unix µs. `clock_watch` must outlive it. Throws StoreError if the options cannot
  // be held.
  Retention(sqlite3* connection, std::string path, const RetentionOptions& options,
            std::function<std::int64_t()> clock, ClockWatch& clock_watch);

  // Where an open segment is to end, so that what goes goes in small pieces. Bytes on the disk,
  // records, µs since it was opened.
  std::uint64_t segment_bytes() const;
  std::uint64_t segment_records() const;
  std::int64_t segment_span_us() const;
  // Most that one commit should hold, bytes of bodies.
  std::uint64_t group_bytes() const;

  // Most that requests on record of calls under way may take together, bytes.
  std::uint64_t intent_bytes() const;

  // Before a commit that adds about so many bytes to the file, and frees so many first. `small`:
  // events, which are to be written even when nothing else may be, or records that end calls under
  // way, and so give room back. `busy` is told of each step that it takes.
  void make_room(std::uint64_t bytes, std::uint64_t freed, bool small,
                 const std::function<void()>& busy);
  // Whether there is room for a passing event (is_passing_event()) of so many bytes; counted as
  // written if there is.
  bool takes_passing_event(std::size_t bytes);
  // One small step of what is due; some of them while the file is longer than max_size, so that
  // records do not make it longer faster. False: nothing is.
  bool step();
  // Records that went by max_age since this was asked last.
  std::uint64_t take_aged() { return std::exchange(aged_, 0); }

 private:
  struct Batch;
  struct Cursor;
  struct File;

  std::int64_t most_rows() const;
  bool capped() const { return options_.capped(); }
  File file();
  std::uint64_t size_with(const File& file, std::uint64_t bytes) const;
  bool log_takes(std::uint64_t bytes);
  void require_log(std::uint64_t bytes);
  bool empty_log();
  bool is_too_long();
  bool take_step();
  bool step_chunks();
  bool step_events();
  std::int64_t last_older_than(std::int64_t limit, std::int64_t now);
  bool step_age();
  bool take_aged_records(std::int64_t now);
  bool take_aged_unseen(std::int64_t now);
  bool step_size();
  bool step_vacuum();
  bool step_log();
  void vacuum(bool beyond_limit);
  bool remove(const char* why, std::int64_t last_segment, std::uint64_t bytes);
  Batch choose(std::int64_t last_segment, std::uint64_t bytes);
  bool take_unseen(std::int64_t keep);
  void take_oldest_unseen(std::int64_t before, std::int64_t most);
  std::map<std::string, std::int64_t> take_dead_letters(const Batch& batch);
  void write_event(const char* why, const Batch& batch, const RetentionBase& base);
  std::map<std::string, Cursor> cursors();
  [[noreturn]] void throw_full();

  sqlite3* connection_;
  const std::string path_;
  const RetentionOptions options_;
  const std::function<std::int64_t()> clock_;
  ClockWatch& clock_watch_;
  const std::uint64_t log_bytes_;  // at which the write-ahead log is copied into the file
  const std::int64_t log_pages_;
  const bool can_shrink_;  // false for a store that is older than incremental vacuum
  RetentionBase base_;
  Statement pages_, free_pages_, first_chunk_, oldest_closed_, oldest_unseen_;
  std::int64_t swept_;               // event: no passing one that is to go is left up to there
  std::uint64_t passing_bytes_ = 0;  // of those behind it, where there is a limit
  bool chunks_left_ = true;          // of segments that went
  bool vacuuming_ = false;
  std::int64_t last_aged_ = 0;           // segment: all up to it are older than max_age; 0: none
  std::optional<std::int64_t> aged_at_;  // when that was looked at
  std::uint64_t aged_ = 0;               // records
};

}  // namespace invlog::storage
