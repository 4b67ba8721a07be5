// The writing side of one store file: opens, creates or recovers it, and turns records into
// transactions.
//
// Why apart from Writer: Writer is the thread, the queue and the patience; Store is what one
// attempt does. add() and its like only collect a group; commit() writes it in one transaction, and
// if that fails, the group is still there and commit() may be called again: compressed bytes are
// made once and written as often as it takes.
//
// Threads: one. Ownership: owns the SQLite connection and the lock file from construction to
// close(). Errors: the constructor throws StoreError (another Region or account, locked, unknown
// format, damaged). commit() and close_segment() throw StoreError after rolling back; nothing
// collected is lost by it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "storage/file_identity.h"
#include "storage/file_lock.h"
#include "storage/host_history.h"
#include "storage/integrity.h"
#include "storage/label_table.h"
#include "storage/record_row.h"
#include "storage/retention.h"
#include "storage/segment_encoder.h"
#include "storage/start_reads.h"
#include "storage/store_error.h"
#include "storage/store_file.h"
#include "storage/writer.h"

namespace invlog::storage {

class Store {
 public:
  explicit Store(const WriterOptions& options);
  ~Store();  // close(), errors ignored
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // What add() has no more use for, and leaves it to its caller to free.
  struct BodyBytes {
    std::string request, response;
  };
  // Collects. `intent`: the intent row that this record replaces, 0 none.
  BodyBytes add(Record record, std::uint64_t intent = 0);
  // Collects a request's row; returns its id. 0: those of calls under way have all the room that
  // they may take.
  std::uint64_t add_intent(const Record& record);
  // Its record was dropped, and counted.
  void forget_intent(std::uint64_t intent);
  // Takes requests' rows out of what is collected; returns their ids.
  std::vector<std::uint64_t> drop_intents();
  void add_event(std::string kind, std::optional<std::int64_t> count, std::string details);

  bool group_empty() const;
  // Bytes of bodies and details collected since the last commit, as they came.
  std::uint64_t group_bytes() const { return group_bytes_; }
  std::size_t group_records() const { return rows_.size(); }

  // Writes what is collected, durably. Makes room for it first, where the size is limited; and if
  // the file or its log was removed, writes it again from what is open.
  void commit();
  // Most that a group should hold, bytes of bodies and details.
  std::uint64_t most_group_bytes() const { return retention_->group_bytes(); }
  // Gives up what is collected, because there is no more time to write it; returns how many records
  // are lost by it. Those whose requests are on record are not: the next start has these as
  // `interrupted`. What forget_intent() was told stays collected. Only forget_intent(), events and
  // close() may follow: the compressor has seen what no reader will.
  std::size_t drop_group();
  // Whether the file has the row, and the next start would make a record of it.
  bool has_written(std::uint64_t intent) const;
  // What the store may grow to, from now on. Throws StoreError, and then nothing has changed.
  void set_retention(const RetentionOptions& retention);
  // One small step of retention. False: nothing is due.
  bool tidy() { return retention_->step(); }
  // Records that went by max_age since this was asked last.
  std::uint64_t take_aged() { return retention_ ? retention_->take_aged() : 0; }
  // Why nothing goes by max_age for now, "" if it may.
  std::string clock_problem() const;
  // By how much the clock was set, µs, if that was seen since this was asked last; 0: it was not.
  std::int64_t take_clock_step() { return clock_watch_.take_step(); }

  // The open segment is full, or its day is over: commit(), then close_segment(), then add() again.
  bool segment_due() const;
  // Ends the open segment, if there is one, and extends the chain. The group must be empty.
  void close_segment();
  // An eraser asks for that (storage/eraser.h), until it is told that it was done.
  bool close_requested() const;
  void answer_close_request();

  // The file, or what SQLite has beside it, or the lock's, is not at its path any more.
  bool file_is_gone() const;
  // Writes it again, and takes the lock again, as commit() does where there is something to commit.
  // The group must be empty.
  void restore_file();
  // Told again and again during work that takes as long as the store is large, and what that is.
  void when_busy(std::function<void(const std::string& activity)> told) { told_ = std::move(told); }

  // Ends the open segment, puts events that no segment covers yet into the chain, and closes the
  // file. The group must be empty. Throws StoreError; the file is closed all the same.
  void close();

 private:
  struct IntentRow {
    std::int64_t id;
    std::string bytes;
  };
  // An intent with a row in the file, and what stands for it from the next commit on.
  struct EndedIntent {
    enum class By { record, event, drop };
    std::int64_t id;
    By by;
  };
  struct EventRow {
    std::int64_t at;
    std::string kind;
    std::optional<std::int64_t> count;
    std::string details;
  };
  struct Statements;

  // What is written of a segment that ends, but for its digest.
  struct Closing {
    SegmentSpan span;
    Sha256 chain_before{};
  };

  void open_file();
  void set_up();
  void prepare();
  void hold_lock();
  void note_log();
  bool log_is_gone() const;
  void copy_to(const std::string& copy);
  void take_copy(const std::string& copy);
  void take_left_copy();
  void tell_left_copy();
  void reopen();
  void create();
  void check_identity();
  NewestNumbers newest_numbers() const;
  void recover();
  void recover_segment();
  [[noreturn]] void throw_unnumbered(const char* what, std::int64_t number) const;
  void throw_if_damaged(const StoreError& error) const;
  void recover_intents();
  void note_host();
  std::int64_t decoded_stream_bytes(std::int64_t segment);
  void begin_segment();
  void check_segment();
  void leave_segment();
  std::vector<BodyBytes> collected_bodies() const;
  void write_group();
  void write_event(const EventRow& event);
  void end_intent(std::uint64_t intent, EndedIntent::By by);
  void count_intent(std::int64_t id, std::uint64_t bytes);
  void uncount_intent(std::int64_t id);
  std::uint64_t ended_intent_bytes() const;
  void clear_group();
  void tell_clock_watch();
  void tell_left_out(std::int64_t now);
  void tell_left_out_at_the_end();
  void make_room();
  std::uint64_t new_label_bytes() const;
  void append_chunks(std::string_view bytes);
  Closing closing_of(std::int64_t segment, std::int64_t stream_bytes) const;
  void finish_segment(const Closing& closing,
                      const std::optional<std::string>& keys_around_damage = {});
  void in_transaction(void (Store::*work)());
  void finish_open_segment();

  WriterOptions options_;
  std::function<void(const std::string&)> told_;
  std::unique_ptr<FileLock> lock_;
  Connection connection_;
  // As the connection has them open: the write-ahead log, and its index in shared memory.
  std::optional<FileIdentity> log_, log_index_;
  std::unique_ptr<LabelWriter> labels_;
  std::unique_ptr<Statements> statements_;
  ClockWatch clock_watch_;
  std::unique_ptr<Retention> retention_;
  SegmentEncoder encoder_;

  std::int64_t next_record_ = 1;
  std::uint64_t next_intent_ = 1;

  // The open segment; 0: none. What a transaction changes is copied back only when it has
  // committed.
  struct SegmentState {
    std::int64_t id = 0;
    std::int64_t first_record = 0;
    std::int64_t opened_at = 0;
    bool row_written = false;
    std::int64_t stream_bytes = 0;  // committed
    std::uint64_t row_bytes = 0;    // of its records, about
    std::int64_t chunks = 0;        // full ones
    std::string tail;               // bytes of the last, incomplete chunk
  };
  SegmentState segment_;
  SegmentState in_progress_;
  std::int64_t last_segment_ = 0;

  std::vector<RecordRow> rows_;
  std::vector<EndedIntent> ended_intents_;
  std::vector<IntentRow> intents_;
  std::unordered_map<std::int64_t, std::uint64_t> intent_bytes_;  // of all, by id
  std::uint64_t all_intent_bytes_ = 0;
  std::vector<EventRow> events_;
  std::optional<HostChange> host_change_;
  std::int64_t left_out_ = 0;  // events that there was no room for, not yet told
  std::int64_t left_out_told_ = 0;
  std::string stream_;
  std::uint64_t group_bytes_ = 0;
};

}  // namespace invlog::storage
