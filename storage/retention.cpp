#include "storage/retention.h"

#include <sys/stat.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/json_writer.h"
#include "storage/schema.h"
#include "storage/store_error.h"
#include "storage/write_transaction.h"

namespace invlog::storage {
namespace {

constexpr std::uint64_t kPageBytes = RetentionOptions::kPageBytes;
constexpr std::uint64_t kMebibyte = 1 << 20;
constexpr int kBusyMilliseconds = 5000;   // Store's
constexpr std::int64_t kIncremental = 2;  // PRAGMA auto_vacuum

// Most that one step does, each some milliseconds' work. Less where the write-ahead log is to be
// small: what a step changes goes through it.
constexpr std::int64_t kStepChunks = 512;
constexpr std::int64_t kStepRecords = 4096;
constexpr std::int64_t kStepSegments = 64;
constexpr std::int64_t kStepPages = 128;

constexpr std::uint64_t kStepLogs = 2;  // what a step writes at most, in logs of their usual size

constexpr std::uint64_t kRowBytes = 256;      // about what a record's row takes
constexpr std::uint64_t kEventRowBytes = 64;  // without details
// For so long a commit waits for unseen calls to go before records do.
constexpr std::int64_t kUnseenTimeUs = 100'000;

std::uint64_t bytes_of_file(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

std::string mebibytes(std::uint64_t bytes) {
  return std::to_string(bytes / kMebibyte) + " MiB";
}

// Of passing events from `first` to `last`.
std::uint64_t passing_bytes(sqlite3* connection, std::int64_t first, std::int64_t last) {
  Statement sum(connection, "SELECT coalesce(sum(" + std::to_string(kEventRowBytes) +
                                " + coalesce(length(CAST(details AS BLOB)), 0)), 0) FROM event "
                                "WHERE id BETWEEN ?1 AND ?2 AND kind IN " +
                                kPassingEvents);
  return sum.bind(1, first).bind(2, last).step() ? static_cast<std::uint64_t>(sum.integer(0)) : 0;
}

}  // namespace

// What there is on the disk, bytes.
struct Retention::File {
  std::uint64_t length = 0;  // once the write-ahead log is copied into it
  std::uint64_t free = 0;    // pages of it that hold nothing
  std::uint64_t now = 0;     // as it stands
  std::uint64_t log = 0;
};

// How far a destination has got.
struct Retention::Cursor {
  std::int64_t record = 0;
  bool configured = false;  // else it holds nothing: it may never come back
};

// Segments that are to go together.
struct Retention::Batch {
  std::int64_t first_segment = 0, last_segment = 0;  // 0: none
  std::int64_t first_record = 0, last_record = 0;
  std::int64_t last_label = 0, last_event = 0;
  Sha256 chain{};
  std::map<std::string, std::int64_t> undelivered;   // records, by destination
  std::map<std::string, std::int64_t> dead_letters;  // that the cursor has passed all the same

  std::int64_t records() const { return last_record - first_record + 1; }
};

Retention::Retention(sqlite3* connection, std::string path, const RetentionOptions& options,
                     std::function<std::int64_t()> clock, ClockWatch& clock_watch)
    : connection_(connection),
      path_(std::move(path)),
      options_(options),
      clock_(std::move(clock)),
      clock_watch_(clock_watch),
      log_bytes_(options.log_bytes()),
      log_pages_(options.scattered_rows()),
      can_shrink_(single_integer(connection, "PRAGMA auto_vacuum") == kIncremental),
      base_(read_retention_base(connection)),
      pages_(connection, "PRAGMA page_count"),
      free_pages_(connection, "PRAGMA freelist_count"),
      first_chunk_(connection, "SELECT min(id) FROM chunk"),
      oldest_closed_(connection, "SELECT closed_at FROM segment ORDER BY id LIMIT 1"),
      oldest_unseen_(connection, "SELECT min(at) FROM unseen_call"),
      swept_(base_.passing_after) {
  if (capped() && options_.max_size_bytes < RetentionOptions::kSmallestSize) {
    throw StoreError("store " + path_ + ": max_size must be at least " +
                     mebibytes(RetentionOptions::kSmallestSize) + ", so that a segment fits");
  }
  execute(connection_, "PRAGMA wal_autocheckpoint = " + std::to_string(log_pages_));
  execute(connection_,
          "PRAGMA journal_size_limit = " + std::to_string(capped() ? log_bytes_ : 16 * kMebibyte));
  if (capped()) {
    passing_bytes_ =
        passing_bytes(connection_, swept_ + 1, std::numeric_limits<std::int64_t>::max());
  }
}

std::uint64_t Retention::segment_bytes() const {
  return capped() ? options_.max_size_bytes / 32 : std::numeric_limits<std::uint64_t>::max();
}

std::uint64_t Retention::segment_records() const {
  // Rows of a segment go in one transaction.
  return capped() || options_.max_age.count() != 0 ? 2 * static_cast<std::uint64_t>(kStepRecords)
                                                   : std::numeric_limits<std::uint64_t>::max();
}

std::int64_t Retention::segment_span_us() const {
  constexpr std::int64_t kShortest = 60'000'000;
  return options_.max_age.count() != 0
             ? std::max<std::int64_t>(kShortest, options_.max_age.count() * 100'000)
             : std::numeric_limits<std::int64_t>::max();
}

// That one step deletes.
std::int64_t Retention::most_rows() const {
  return std::min(kStepRecords, static_cast<std::int64_t>(log_bytes_ / kRowBytes));
}

std::uint64_t Retention::group_bytes() const {
  return capped() ? options_.max_size_bytes / 64 : std::numeric_limits<std::uint64_t>::max();
}

std::uint64_t Retention::intent_bytes() const {
  return capped() ? options_.max_size_bytes / 4 : std::numeric_limits<std::uint64_t>::max();
}

Retention::File Retention::file() {
  const auto integer = [](Statement& statement) {
    const std::int64_t value = statement.step() ? statement.integer(0) : 0;
    statement.reset();
    return static_cast<std::uint64_t>(value);
  };
  File file;
  file.length = integer(pages_) * kPageBytes;
  file.free = integer(free_pages_) * kPageBytes;
  file.now = std::max(file.length, bytes_of_file(path_));
  file.log = bytes_of_file(path_ + "-wal");
  return file;
}

// What file and log come to when `bytes` more have been written, and the log is not held.
std::uint64_t Retention::size_with(const File& file, std::uint64_t bytes) const {
  return file.length + (bytes > file.free ? bytes - file.free : 0) + log_bytes_ + bytes;
}

bool Retention::takes_passing_event(std::size_t bytes) {
  if (!capped()) {
    return true;
  }
  const bool fits =
      passing_bytes_ + kEventRowBytes + bytes <= options_.max_size_bytes / RetentionOptions::kShare;
  passing_bytes_ += fits ? kEventRowBytes + bytes : 0;
  return fits;
}

void Retention::make_room(std::uint64_t bytes, std::uint64_t freed, bool small,
                          const std::function<void()>& busy) {
  if (!capped()) {
    return;
  }
  const std::uint64_t limit = options_.max_size_bytes + (small ? options_.max_size_bytes / 32 : 0);
  const std::uint64_t most = std::max(bytes, freed);
  bytes -= std::min(bytes, freed);
  // Rows of unseen calls lie scattered: thousands may go before a page is free. Records that can be
  // had at once then go first, so that calls need not wait for their commit.
  std::int64_t began = clock_();
  const auto is_patient = [this, &began] {
    const std::int64_t spent = clock_() - began;
    return spent >= 0 && spent < kUnseenTimeUs;
  };
  while (true) {
    const File now = file();
    if (bytes <= now.free || size_with(now, bytes) <= limit) {
      break;
    }
    busy();
    require_log(kStepLogs * log_bytes_);
    if (step_chunks() || step_events() || (is_patient() && take_unseen(options_.unseen_share()))) {
      continue;
    }
    if (remove("size", std::numeric_limits<std::int64_t>::max(), bytes)) {
      began = clock_();
      continue;
    }
    if (take_unseen(0)) {
      continue;
    }
    // A record that is too large for any such store passes: it is the next to go.
    const bool something_is_kept = oldest_closed_.step() && !oldest_closed_.is_null(0);
    oldest_closed_.reset();
    if (something_is_kept || bytes <= options_.max_size_bytes / 4) {
      step_log();
      throw_full();
    }
    break;
  }
  require_log(most);
}

// The log cannot be emptied while somebody reads in one long transaction. That may cost a thirtieth
// of the limit.
bool Retention::log_takes(std::uint64_t bytes) {
  const File now = file();
  return now.now + now.log + bytes <= options_.max_size_bytes + options_.max_size_bytes / 32 ||
         empty_log();
}

void Retention::require_log(std::uint64_t bytes) {
  if (!log_takes(bytes)) {
    throw StoreError("store " + path_ + ": it has reached max_size (" +
                         mebibytes(options_.max_size_bytes) + "), and " +
                         mebibytes(bytes_of_file(path_ + "-wal")) +
                         " of it are a write-ahead log that a program which reads the store in "
                         "one long transaction keeps from being emptied; end that program",
                     SQLITE_BUSY);
  }
}

bool Retention::empty_log() {
  // Without waiting for anybody.
  sqlite3_busy_timeout(connection_, 0);
  const int result =
      sqlite3_wal_checkpoint_v2(connection_, "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  sqlite3_busy_timeout(connection_, kBusyMilliseconds);
  return result == SQLITE_OK;
}

void Retention::throw_full() {
  std::string lacking;
  const std::int64_t newest = single_integer(connection_, "SELECT max(id) FROM record");
  for (const auto& [destination, cursor] : cursors()) {
    if (options_.keep_undelivered && cursor.configured && cursor.record < newest) {
      lacking += (lacking.empty() ? "" : ", ") + destination + " lacks " +
                 std::to_string(newest - std::max(cursor.record, base_.record));
    }
  }
  const std::string start = "store " + path_ + ": it has reached max_size (" +
                            mebibytes(options_.max_size_bytes) + "), and ";
  if (lacking.empty()) {
    throw StoreError(start + "nothing is left that could go; raise [retention] max_size",
                     SQLITE_FULL);
  }
  throw StoreError(
      start + "the records that could go are not delivered yet (" + lacking +
          "); it goes on by itself when they are, see `invlog status` for why they are "
          "not, or raise [retention] max_size, or set keep_undelivered = false",
      SQLITE_FULL);
}

bool Retention::step() {
  constexpr int kMostSteps = 4;
  int steps = 0;
  while (take_step()) {
    if (++steps == kMostSteps || !is_too_long()) {
      return true;
    }
  }
  return steps > 0;
}

// As it is after a limit was lowered.
bool Retention::is_too_long() {
  return capped() && file().length > options_.max_size_bytes;
}

bool Retention::take_step() {
  if (capped() && !log_takes(kStepLogs * log_bytes_)) {
    return false;
  }
  return step_chunks() || step_events() || step_age() || step_size() || step_vacuum() || step_log();
}

// Others' commits (a ledger's) fill the log, too, also when the writer has nothing to commit.
bool Retention::step_log() {
  return capped() && bytes_of_file(path_ + "-wal") > 2 * log_bytes_ && empty_log();
}

bool Retention::step_chunks() {
  if (!chunks_left_) {
    return false;
  }
  const std::int64_t end = chunk_id(base_.segment + 1, 0);
  first_chunk_.step();
  const std::int64_t first = first_chunk_.optional_integer(0).value_or(end);
  first_chunk_.reset();
  if (first >= end) {
    chunks_left_ = false;
    return false;
  }
  Statement(connection_, "DELETE FROM chunk WHERE id >= ?1 AND id < ?2")
      .bind(1, first)
      .bind(2, std::min(end, first + std::min(kStepChunks, log_pages_)))
      .run();
  return true;
}

// Passing events that no segment covers any more are in no digest: they go in steps, like chunks.
bool Retention::step_events() {
  if (swept_ >= base_.event) {
    return false;
  }
  const std::int64_t last = std::min(base_.event, swept_ + most_rows());
  const std::uint64_t bytes = capped() ? passing_bytes(connection_, swept_ + 1, last) : 0;
  Statement(connection_, std::string("DELETE FROM event WHERE id > ?1 AND id <= ?2 AND kind IN ") +
                             kPassingEvents)
      .bind(1, swept_)
      .bind(2, last)
      .run();
  passing_bytes_ -= std::min(passing_bytes_, bytes);
  swept_ = last;
  return true;
}

// The last of the segments that are all older than `limit`, from the first on; 0: none is. The
// clock may have been wrong when one was closed, by years. If it was ahead, two later ones in a row
// tell: a single one may itself be of a time when the clock was behind, and must not make all
// before it go. After a crash it is closed at the next start, and its records tell when it ended.
std::int64_t Retention::last_older_than(std::int64_t limit, std::int64_t now) {
  std::vector<std::pair<std::int64_t, std::int64_t>> newest_first;  // id, closed at this or before
  std::int64_t later = now, bound = now;
  Statement closed(connection_,
                   "SELECT id, closed_at FROM segment WHERE closed_at IS NOT NULL ORDER BY id "
                   "DESC");
  while (closed.step()) {
    const std::int64_t at = closed.integer(1);
    newest_first.emplace_back(closed.integer(0), std::min(at, bound));
    bound = std::min(bound, std::max(at, std::exchange(later, at)));
  }
  Statement ended(connection_,
                  "SELECT max(segment.opened_at + ?2, coalesce(started_at + coalesce(duration, 0), "
                  "0)) FROM segment LEFT JOIN record ON record.id = last_record WHERE segment.id = "
                  "?1");
  std::int64_t last = 0;
  for (auto segment = newest_first.rbegin(); segment != newest_first.rend(); ++segment) {
    ended.bind(1, segment->first).bind(2, segment_span_us()).step();
    if (std::min(segment->second, ended.integer(0)) >= limit) {
      break;
    }
    last = segment->first;
    ended.reset();
  }
  return last;
}

bool Retention::step_age() {
  if (options_.max_age.count() == 0) {
    return false;
  }
  const std::int64_t now = clock_watch_.trusted_now(options_.max_age.count() * 1'000'000);
  return now != 0 && (take_aged_records(now) || take_aged_unseen(now));
}

bool Retention::take_aged_records(std::int64_t now) {
  constexpr std::int64_t kLongestUnlooked = 60'000'000;
  const std::int64_t age = options_.max_age.count() * 1'000'000;
  // All segments are looked at: not after each commit.
  if (!aged_at_ || now < *aged_at_ || now - *aged_at_ >= std::min(age / 100, kLongestUnlooked)) {
    last_aged_ = last_older_than(now - age, now);
    aged_at_ = now;
  }
  return last_aged_ > base_.segment &&
         remove("age", last_aged_, std::numeric_limits<std::uint64_t>::max());
}

bool Retention::take_aged_unseen(std::int64_t now) {
  const std::int64_t limit = now - options_.max_age.count() * 1'000'000;
  const bool due =
      oldest_unseen_.step() && !oldest_unseen_.is_null(0) && oldest_unseen_.integer(0) < limit;
  oldest_unseen_.reset();
  if (due) {
    take_oldest_unseen(limit, kStepRecords);
  }
  return due;
}

// Calls that CloudTrail knows come by the million from hosts that have no agent: those that are
// more than `keep` go, oldest first.
bool Retention::take_unseen(std::int64_t keep) {
  const std::int64_t rows = single_integer(connection_, "SELECT count(*) FROM unseen_call");
  if (rows > keep) {
    take_oldest_unseen(std::numeric_limits<std::int64_t>::max(), rows - keep);
  }
  return rows > keep;
}

void Retention::take_oldest_unseen(std::int64_t before, std::int64_t most) {
  Statement(connection_,
            "DELETE FROM unseen_call WHERE event_id IN (SELECT event_id FROM unseen_call WHERE at "
            "< ?1 ORDER BY at LIMIT ?2)")
      .bind(1, before)
      .bind(2, std::min(most, log_pages_))  // each may be on a page of its own
      .run();
}

// Keeps so much free that a commit need not wait for room.
bool Retention::step_size() {
  if (!capped()) {
    return false;
  }
  const std::uint64_t wanted = std::min<std::uint64_t>(group_bytes(), 16 * kMebibyte);
  const File now = file();
  return wanted > now.free && size_with(now, wanted) > options_.max_size_bytes &&
         (take_unseen(options_.unseen_share()) ||
          remove("size", std::numeric_limits<std::int64_t>::max(), wanted));
}

bool Retention::step_vacuum() {
  if (!can_shrink_) {
    return false;
  }
  const File now = file();
  if (capped() && now.free > 0 && now.length + log_bytes_ > options_.max_size_bytes) {
    vacuum(is_too_long());
    return true;
  }
  // Some free pages are soon used again; what is more than that goes back to the file system.
  const std::uint64_t most = std::max(4 * kMebibyte, now.length / 10);
  if (now.free > most) {
    vacuuming_ = true;
  } else if (now.free <= most / 2) {
    vacuuming_ = false;
  }
  if (vacuuming_) {
    vacuum(false);
  }
  return vacuuming_;
}

void Retention::vacuum(bool beyond_limit) {
  // Each page that moves changes others, too. A file that is too long is to become shorter sooner
  // than records make it longer, whatever the log takes meanwhile.
  const std::int64_t pages =
      beyond_limit ? kStepPages : std::clamp<std::int64_t>(log_pages_ / 4, 8, kStepPages);
  Statement(connection_, "PRAGMA incremental_vacuum(" + std::to_string(pages) + ")").run();
}

// Of the destinations that are configured, and of those that were: one that comes back must be able
// to say what went without it.
std::map<std::string, Retention::Cursor> Retention::cursors() {
  std::map<std::string, Cursor> cursors;
  Statement known(connection_, "SELECT destination, cursor FROM delivery");
  while (known.step()) {
    cursors[std::string(known.bytes(0))].record = known.integer(1);
  }
  for (const std::string& destination : options_.destinations) {
    cursors[destination].configured = true;
  }
  return cursors;
}

// The oldest segments that may go, up to `last_segment`, as many as make `bytes` free, within one
// step's bounds.
Retention::Batch Retention::choose(std::int64_t last_segment, std::uint64_t bytes) {
  const auto delivered = cursors();
  Batch batch;
  Statement select(connection_,
                   "SELECT id, first_record, last_record, last_label, last_event, chain, "
                   "coalesce((SELECT max(id) FROM chunk WHERE chunk.id >= segment.id << 24 AND "
                   "chunk.id < (segment.id + 1) << 24) & 0xffffff, 0), coalesce((SELECT "
                   "sum(length(CAST(details AS BLOB))) FROM record WHERE record.id BETWEEN "
                   "first_record AND last_record), 0) FROM segment WHERE closed_at "
                   "IS NOT NULL AND id <= ?1 ORDER BY id LIMIT ?2");
  select.bind(1, last_segment).bind(2, kStepSegments);
  const std::int64_t most_records = most_rows();
  std::uint64_t freed = 0;
  while (freed < bytes && select.step()) {
    const std::int64_t first = select.integer(1), last = select.integer(2);
    const std::int64_t first_of_all = batch.last_segment != 0 ? batch.first_record : first;
    std::map<std::string, std::int64_t> undelivered;
    bool awaited = false;
    for (const auto& [destination, cursor] : delivered) {
      if (cursor.record < last) {
        undelivered[destination] = last - std::max(cursor.record, first_of_all - 1);
        awaited = awaited || cursor.configured;
      }
    }
    const bool too_many = batch.last_segment != 0 && last - batch.first_record >= most_records;
    const auto chain = from_bytes(select.bytes(5));
    if (too_many || !chain || (options_.keep_undelivered && awaited)) {
      break;
    }
    if (batch.last_segment == 0) {
      batch.first_segment = select.integer(0);
      batch.first_record = first;
    }
    batch.last_segment = select.integer(0);
    batch.last_record = last;
    batch.last_label = select.integer(3);
    batch.last_event = select.integer(4);
    batch.chain = *chain;
    batch.undelivered = std::move(undelivered);
    freed += static_cast<std::uint64_t>(select.integer(6)) * kPageBytes +
             static_cast<std::uint64_t>(last - first + 1) * kRowBytes +
             static_cast<std::uint64_t>(select.integer(7));
  }
  return batch;
}

// One refused record must not keep all that came after it. But the destination has not got it, and
// nobody can try it again once it is gone: so its row goes, too, and is counted by that.
std::map<std::string, std::int64_t> Retention::take_dead_letters(const Batch& batch) {
  std::vector<std::string> destinations;
  Statement known(connection_, "SELECT destination FROM delivery");
  while (known.step()) {
    destinations.emplace_back(known.bytes(0));
  }
  std::map<std::string, std::int64_t> taken;
  // What the cursor has not passed counts as undelivered by that. A store may have rows of records
  // that an invlog took which did not know this rule: not all at once.
  Statement take(connection_,
                 "DELETE FROM dead_letter WHERE id IN (SELECT id FROM dead_letter WHERE "
                 "destination = ?1 AND record <= ?2 AND record <= (SELECT cursor FROM delivery "
                 "WHERE destination = ?1) ORDER BY record LIMIT ?3)");
  for (const std::string& destination : destinations) {
    take.bind_text(1, destination)
        .bind(2, batch.last_record)
        .bind(3, batch.records() + kStepRecords)
        .run();
    if (const int records = sqlite3_changes(connection_); records > 0) {
      taken[destination] = records;
    }
  }
  return taken;
}

// Rows, segments and their place in the chain go in one transaction, so that a store is whole at
// each moment. Only chunks, which nothing but their segment leads to, go in steps behind it.
bool Retention::remove(const char* why, std::int64_t last_segment, std::uint64_t bytes) {
  WriteTransaction transaction(connection_);
  Batch batch = choose(last_segment, bytes);
  if (batch.last_segment == 0) {
    return false;
  }
  batch.dead_letters = take_dead_letters(batch);
  RetentionBase base = base_;
  base.labels = kept_labels_digest(connection_, base_, batch.last_label);
  base.events = kept_events_digest(connection_, base_, batch.last_event);
  base.segment = batch.last_segment;
  base.record = batch.last_record;
  base.label = batch.last_label;
  base.event = batch.last_event;
  base.chain = batch.chain;
  for (const auto& [destination, records] : batch.undelivered) {
    base.undelivered[destination] += records;
    Statement(connection_,
              "UPDATE delivery SET cursor = ?2, planned_last = 0, plan = '' WHERE destination = ?1 "
              "AND cursor < ?2")
        .bind_text(1, destination)
        .bind(2, batch.last_record)
        .run();
  }
  for (const auto& [destination, records] : batch.dead_letters) {
    base.undelivered[destination] += records;
  }
  Statement(connection_, "DELETE FROM record WHERE id <= ?1").bind(1, batch.last_record).run();
  Statement(connection_, "DELETE FROM trail WHERE record <= ?1").bind(1, batch.last_record).run();
  Statement(connection_, "DELETE FROM segment WHERE id <= ?1").bind(1, batch.last_segment).run();
  for (const char* table : {"delivered_object", "delivered_range"}) {
    Statement(connection_, std::string("DELETE FROM ") + table + " WHERE last <= ?1")
        .bind(1, batch.last_record)
        .run();
  }
  // First, so that no event takes the id of one that goes. It stands for all before it.
  write_event(why, batch, base);
  Statement(connection_, "DELETE FROM event WHERE id > ?1 AND id <= ?2 AND kind = 'retention'")
      .bind(1, base_.event)
      .bind(2, batch.last_event)
      .run();
  transaction.commit();
  base_ = std::move(base);
  chunks_left_ = true;
  aged_ += std::string_view(why) == "age" ? static_cast<std::uint64_t>(batch.records()) : 0;
  return true;
}

void Retention::write_event(const char* why, const Batch& batch, const RetentionBase& base) {
  const auto range = [](std::int64_t first, std::int64_t last) {
    return "[" + std::to_string(first) + "," + std::to_string(last) + "]";
  };
  std::string details = "{";
  append_json_member(details, "why", why);
  append_json_raw(details, "segments", range(batch.first_segment, batch.last_segment));
  append_json_raw(details, "records", range(batch.first_record, batch.last_record));
  const auto append_counts = [&details](const char* name,
                                        const std::map<std::string, std::int64_t>& counts) {
    std::string json = "{";
    for (const auto& [destination, records] : counts) {
      append_json_number(json, destination, records);
    }
    if (!counts.empty()) {
      append_json_raw(details, name, json + "}");
    }
  };
  auto undelivered = batch.undelivered;
  for (const auto& [destination, records] : batch.dead_letters) {
    undelivered[destination] += records;
  }
  append_counts("undelivered", undelivered);
  append_counts("dead_letters", batch.dead_letters);
  append_json_raw(details, "base", retention_base_json(base));
  Statement(connection_,
            "INSERT INTO event(at, kind, count, details) VALUES (?1, 'retention', ?2, ?3)")
      .bind(1, clock_())
      .bind(2, batch.records())
      .bind_text(3, details + "}")
      .run();
}

}  // namespace invlog::storage
