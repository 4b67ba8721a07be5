// The one thread that writes a store: takes finished invocations from a queue bounded in bytes, and
// commits them in groups.
//
// Why a thread: SQLite, zstd and fsync block; the I/O thread must not. Why a group: one fsync
// serves all records that arrived within `commit_interval`.
//
// Threads: every public function may be called from any thread. Callbacks run on the writer's
// thread and must not block. Ownership: the writer owns the SQLite connection from construction to
// stop(); `Clock` must outlive it. Errors: the constructor throws StoreError (another Region,
// another account, damaged, locked, unknown version; a disk that refuses, unless `open_later`).
// After that nothing throws: a failing commit keeps the group, is retried with back-off (100 ms
// doubling to 5 s), and shows in status(). What cannot be kept is counted and becomes an event row
// with the next successful commit; what found none by the end is status().untold_drops.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "storage/record.h"
#include "storage/retention_options.h"

namespace invlog::storage {

// Something that becomes a Record on the writer's thread, so that parsing and assembling cost the
// caller nothing. It is destroyed there, or on a thread that submits the next.
class PendingRecord {
 public:
  virtual ~PendingRecord() = default;
  // Bytes held in memory while queued; constant.
  virtual std::size_t memory_bytes() const = 0;
  // Called once, on the writer's thread. Must not throw for any input from outside; if it does
  // throw, the writer counts a drop and records an event with what().
  virtual Record build() = 0;
};

struct WriterOptions {
  std::string path;        // <state_dir>/<region>.db
  std::string region;      // source Region; pinned at birth
  std::string account_id;  // "" unknown
  std::string host;        // this host's name
  std::string agent_version;
  std::size_t queue_bytes = 4 << 20;              // bound of the queue, bytes
  std::chrono::milliseconds commit_interval{20};  // a record is durable within this
  std::size_t segment_bytes = 16 << 20;           // a segment closes at this much stream, bytes;
                                                  // at half of it where references save little
  RetentionOptions retention;
  // An attempt at the file system that takes longer counts as failing, so that callers wait no
  // more.
  std::chrono::milliseconds longest_attempt{5000};
  // Where the disk is full or read-only when the store is to be opened: true fails as a commit
  // does, and goes on trying; false throws.
  bool open_later = false;
  // With an eraser that has the store for itself, and is soon done.
  std::chrono::milliseconds lock_patience{5000};
  std::string vfs;  // SQLite VFS by name, "" the default (tests put faults there)
  std::function<std::int64_t()> clock;  // now, Unix µs; empty: the system's
  // µs of a clock that nobody sets; empty: the system's beside its own, else `clock`.
  std::function<std::int64_t()> steady_clock;
  std::function<void(std::chrono::milliseconds)> sleep;  // while it opens; empty: the thread's
};

// What submit() did.
enum class Submitted {
  queued,  // will be committed
  full,    // the queue has no room: nothing was taken, the PendingRecord is untouched
  failed,  // the store is failing and the queue is full: as `full`
};

struct WriterStatus {
  // The last commit did not succeed, or one under way takes longer than `longest_attempt`.
  bool failing = false;
  std::string last_error;  // "" if none
  std::string
      retention_error;     // why old segments could not be taken away the last time, "" if none
  std::uint64_t aged = 0;  // records that went by max_age, since start
  std::uint64_t committed = 0;  // records, since start
  std::uint64_t dropped = 0;    // records, since start
  // Of which no committed event row tells yet; while it fails, also what waits to be written, which
  // would be lost if the agent were killed.
  std::uint64_t untold_drops = 0;
  std::size_t queued_records = 0;
  std::size_t queued_bytes = 0;
};

class Writer {
 public:
  // `committed(ok)`: ok is false only if the record was dropped (its build() threw, or the writer
  // stopped failing).
  using Committed = std::function<void(bool ok)>;
  // Identifies a request that strict durability put on record before it was forwarded; 0 is none.
  using IntentId = std::uint64_t;

  explicit Writer(WriterOptions options);
  ~Writer();  // stop()
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Takes `pending` if there is room (then it is empty afterwards). `committed` may be empty.
  // `intent`: the strict-mode request that this record finishes; its row goes in the same
  // transaction.
  Submitted submit(std::unique_ptr<PendingRecord>& pending, Committed committed = {},
                   IntentId intent = 0);

  // Strict durability, first half: commits the request before it is forwarded. A crash before the
  // matching submit() leaves it for the next start, which turns it into a record with outcome
  // "interrupted". `intent` is set if the request was queued; a submit() with it need not wait for
  // `committed`, and where the request could not be kept, only the record is.
  Submitted submit_intent(std::unique_ptr<PendingRecord>& pending, IntentId& intent,
                          Committed committed);

  // Its record was dropped, and counted: the intent's row goes, which would become a record of a
  // call that was interrupted.
  void forget_intent(IntentId intent);

  // Calls `room` once, as soon as the queue is at most half full (at once, if it is): how
  // on_overload = "block" waits.
  void when_room(std::function<void()> room);

  // Counts records that the caller could not hand over; an event row says how many and why. `why`
  // is a short constant such as "queue-full" (repeats within a commit are added up).
  void count_dropped(const char* why, std::uint64_t records = 1);
  // An event row: `kind` is a short constant ("started", "stopped", "stream-damage"), `details`
  // JSON object text or "". While the store takes nothing, a thousand wait; of more only the number
  // is kept, as an event "events-dropped".
  void record_event(std::string kind, std::string details);

  // What the store may grow to, from the next group or step of retention on; the open segment ends
  // first, if it is longer than it may become then. A commit under way that finds no room is tried
  // again with it. What cannot be taken over yet (StoreError) shows in
  // status() and is tried again.
  void set_retention(RetentionOptions retention);

  WriterStatus status() const;

  // Grows with each step of the writer's thread, and at least every second while it waits for work,
  // for another attempt at a failed commit, or writes a removed file again. What stays the same for
  // longer hangs in the file system (or in a callback). Never waits.
  std::uint64_t heartbeat() const;

  // Commits what is queued (bounded by `limit`), closes the store, joins the thread. Safe to call
  // twice. A removed file is written again first, however long that takes; `still_working` is
  // called about once a second as long as the thread gets on with it.
  void stop(std::chrono::milliseconds limit = std::chrono::seconds(10),
            const std::function<void()>& still_working = {});

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace invlog::storage
