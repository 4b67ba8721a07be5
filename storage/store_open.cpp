// Store, first half of its life: opening, creating, checking what the file is pinned to, and
// recovery after a crash.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "storage/file_mode.h"
#include "storage/integrity.h"
#include "storage/json_writer.h"
#include "storage/record_codec.h"
#include "storage/request_keys.h"
#include "storage/retention_base.h"
#include "storage/schema.h"
#include "storage/store.h"
#include "storage/store_error.h"
#include "storage/store_file.h"
#include "storage/store_identity.h"
#include "storage/time_text.h"
#include "storage/write_transaction.h"

namespace invlog::storage {
namespace {

// A million years of a thousand calls a second.
constexpr std::int64_t kMostRecords = std::int64_t{1} << 55;
// Ids of chunks have room for 2^39.
constexpr std::int64_t kMostSegments = std::int64_t{1} << 38;

struct FreeStream {
  void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};

}  // namespace

void Store::open_file() {
  options_.path = resolved_store_path(options_.path);
  if (const std::string problem = region_problem(options_.region); !problem.empty()) {
    throw StoreError("store " + options_.path + ": " + problem);
  }
  // A file of its own: closing a descriptor of the database itself would release SQLite's own locks
  // on it (POSIX).
  lock_ = std::make_unique<FileLock>(options_.path + "-lock", options_.path, options_.lock_patience,
                                     options_.sleep);
  take_left_copy();
  // SQLite gives its -wal and -shm files the mode of the database.
  const mode_t mode = private_file_mode(options_.path);
  const int created = ::open(options_.path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (created >= 0) {
    ::close(created);
  } else if (errno != EEXIST) {
    throw StoreError("store " + options_.path + ": cannot create it: " + std::strerror(errno));
  } else {
    ::chmod(options_.path.c_str(), mode);
  }
  if (const std::string problem = other_names_problem(options_.path); !problem.empty()) {
    throw StoreError("store " + options_.path + ": " + problem);
  }
  sqlite3* connection = nullptr;
  const int result = sqlite3_open_v2(options_.path.c_str(), &connection,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                                     options_.vfs.empty() ? nullptr : options_.vfs.c_str());
  connection_.reset(connection);
  if (result != SQLITE_OK) {
    throw StoreError("store " + options_.path + ": cannot open it: " + sqlite3_errstr(result));
  }
  sqlite3_busy_timeout(connection, 5000);
  sqlite3_extended_result_codes(connection, 1);
  try {
    set_up();
  } catch (const StoreError& error) {
    throw_if_damaged(error);
    throw;
  }
}

void Store::set_up() {
  sqlite3* connection = connection_.get();
  // Before the first page is written; without effect on a store that exists.
  execute(connection, "PRAGMA page_size = 4096");
  execute(connection, "PRAGMA cache_size = -1024");
  execute(connection, "PRAGMA temp_store = MEMORY");
  // What is deleted or moved leaves no bytes behind in the file: FORMAT.md, "Erasure".
  execute(connection, "PRAGMA secure_delete = ON");
  const std::int64_t schemas = single_integer(connection, "SELECT count(*) FROM sqlite_schema");
  if (schemas == 0) {
    create();
  }
  check_identity();
  execute(connection, "PRAGMA journal_mode = WAL");
  execute(connection, "PRAGMA synchronous = FULL");
  ensure_delivery_tables(connection);
  ensure_residency_tables(connection);
  note_log();
}

void Store::create() {
  sqlite3* connection = connection_.get();
  // Lets later retention give pages back to the file system without rewriting the file.
  execute(connection, "PRAGMA auto_vacuum = INCREMENTAL");
  execute(connection, "PRAGMA journal_mode = WAL");
  execute(connection, "PRAGMA synchronous = FULL");
  execute(connection, "BEGIN IMMEDIATE");
  execute(connection, schema_sql(options_.region));
  execute(connection, delivery_schema_sql());
  execute(connection, residency_schema_sql());
  execute(connection, "PRAGMA application_id = " + std::to_string(kApplicationId));
  execute(connection, "PRAGMA user_version = " + std::to_string(kFormatVersion));
  const std::int64_t now = options_.clock();
  Statement(connection,
            "INSERT INTO store(id, region, account_id, host, created_at, agent_version) VALUES "
            "(1, ?1, ?2, ?3, ?4, ?5)")
      .bind_text(1, options_.region)
      .bind_text_or_null(2, options_.account_id)
      .bind_text_or_null(3, options_.host)
      .bind_text(4, iso_seconds(now))
      .bind_text_or_null(5, options_.agent_version)
      .run();
  add_birth_event(connection,
                  {options_.region, options_.account_id, options_.host, options_.agent_version},
                  now);
  execute(connection, "COMMIT");
}

void Store::check_identity() {
  sqlite3* connection = connection_.get();
  const std::string where = "store " + options_.path + ": ";
  if (single_integer(connection, "PRAGMA application_id") != kApplicationId) {
    throw StoreError(where + "it is an SQLite file, but not an invlog store; use another path");
  }
  const std::int64_t version = single_integer(connection, "PRAGMA user_version");
  if (version != kFormatVersion) {
    throw StoreError(where + "its format is version " + std::to_string(version) +
                     ", this invlog knows " + std::to_string(kFormatVersion) +
                     "; use the invlog that wrote it, or a newer one");
  }
  Statement select(connection, "SELECT region, account_id FROM store");
  if (!select.step()) {
    throw StoreError(where + "its `store` row is missing; restore the file from a backup");
  }
  const std::string region(select.bytes(0));
  std::string account(select.bytes(1));
  select.reset();
  if (region != options_.region) {
    throw StoreError(where + "it is pinned to Region " + region + " and refuses records of " +
                     options_.region + "; set region = \"" + region +
                     "\" or use another state_dir");
  }
  if (account.empty() && !options_.account_id.empty()) {
    WriteTransaction transaction(connection);
    account = pin_store_account(connection, options_.account_id, options_.clock());
    transaction.commit();
  }
  if (!options_.account_id.empty() && account != options_.account_id) {
    throw StoreError(where + "it belongs to account " + account + ", not " + options_.account_id +
                     "; correct account_id or use another state_dir");
  }
}

NewestNumbers Store::newest_numbers() const {
  const NewestNumbers newest = read_newest_numbers(connection_.get());
  if (newest.segment >= kMostSegments) {
    throw_unnumbered("segment", newest.segment);
  }
  if (newest.record >= kMostRecords) {
    throw_unnumbered("record", newest.record);
  }
  return newest;
}

void Store::recover() {
  const NewestNumbers newest = newest_numbers();
  last_segment_ = newest.segment;
  recover_segment();
  next_record_ = newest.record + 1;
  next_intent_ = 1 + static_cast<std::uint64_t>(newest.intent);
  recover_intents();
  tell_left_copy();
  note_host();
  try {
    commit();
  } catch (const StoreError& error) {
    // A full store must not keep the agent from starting: delivery is what empties it. The group is
    // kept, and the writer goes on trying.
    if (error.sqlite_code() != SQLITE_FULL) {
      throw;
    }
  }
}

void Store::recover_segment() {
  Statement select(connection_.get(),
                   "SELECT id, first_record, opened_at FROM segment WHERE closed_at IS NULL");
  if (!select.step()) {
    return;
  }
  segment_.id = select.integer(0);
  segment_.first_record = select.integer(1);
  segment_.opened_at = select.integer(2);
  segment_.row_written = true;
  select.reset();

  const std::int64_t first = chunk_id(segment_.id, 0), last = chunk_id(segment_.id + 1, 0) - 1;
  // By its number, not by how many there are: where one was lost, that is another's.
  Statement chunks(
      connection_.get(),
      "SELECT id, bytes FROM chunk WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT 1");
  if (chunks.bind(1, first).bind(2, last).step()) {
    segment_.chunks = chunks.integer(0) - first;
    segment_.tail = std::string(chunks.bytes(1));
  }
  chunks.reset();
  if (segment_.tail.size() == kChunkBytes) {
    segment_.tail.clear();
    ++segment_.chunks;
  }
  std::int64_t stream_bytes = 0;
  try {
    stream_bytes = decoded_stream_bytes(segment_.id);
  } catch (const StoreError& error) {
    if (error.sqlite_code() != SQLITE_CORRUPT) {
      throw;
    }
  }

  // SQLite gives up a transaction that writes where it meets a damaged page: this is read before.
  const Closing closing = closing_of(segment_.id, stream_bytes);
  std::optional<std::string> keys_around_damage;
  try {
    segment_digest(connection_.get(), closing.span);
  } catch (const StoreError& error) {
    if (error.sqlite_code() != SQLITE_CORRUPT) {
      throw;
    }
    keys_around_damage =
        request_keys(connection_.get(), closing.span.first_record, closing.span.last_record, true);
  }

  in_progress_ = segment_;
  // The event with the closing, which leaves nothing to tell it by. Neither asks for room: a store
  // at its max_size must get out of a crash, too, and gets something that may go by it.
  WriteTransaction transaction(connection_.get());
  append_chunks(kFrameEnd);
  finish_segment(closing, keys_around_damage);
  write_event({options_.clock(), "recovered", std::nullopt,
               "{\"segment\":" + std::to_string(segment_.id) +
                   (stream_bytes == 0 || keys_around_damage ? ",\"damaged\":true}" : "}")});
  transaction.commit();
  segment_ = {};
}

void Store::throw_unnumbered(const char* what, std::int64_t number) const {
  throw StoreError("store " + options_.path + ": " + what + " " + std::to_string(number) +
                   " has a number that no invlog gives, and nothing could be numbered after it: "
                   "the store was damaged or changed; " +
                   kAdviceOnDamage);
}

// What SQLite says of a damaged page names a statement, which tells nobody how to go on.
void Store::throw_if_damaged(const StoreError& error) const {
  if (const std::string problem = damage_problem(error); !problem.empty()) {
    throw StoreError("store " + options_.path + ": " + problem, error.sqlite_code());
  }
}

// How much the open segment's frame decodes to, without keeping it; 0 if it is damaged (readers and
// `verify` say where).
std::int64_t Store::decoded_stream_bytes(std::int64_t segment) {
  const std::unique_ptr<ZSTD_DStream, FreeStream> stream(ZSTD_createDStream());
  Statement select(connection_.get(),
                   "SELECT bytes FROM chunk WHERE id BETWEEN ?1 AND ?2 ORDER BY id");
  select.bind(1, chunk_id(segment, 0)).bind(2, chunk_id(segment + 1, 0) - 1);
  std::int64_t total = 0;
  while (stream && select.step()) {
    ZSTD_inBuffer input{select.bytes(0).data(), select.bytes(0).size(), 0};
    char buffer[64 * 1024];
    ZSTD_outBuffer output{buffer, sizeof(buffer), 0};
    do {
      output.pos = 0;
      if (ZSTD_isError(ZSTD_decompressStream(stream.get(), &output, &input)) != 0) {
        return 0;
      }
      total += static_cast<std::int64_t>(output.pos);
    } while (input.pos < input.size || output.pos == output.size);
  }
  return total;
}

void Store::recover_intents() {
  Statement select(connection_.get(), "SELECT id, bytes FROM intent ORDER BY id");
  std::int64_t interrupted = 0;
  while (select.step()) {
    const std::int64_t id = select.integer(0);
    count_intent(id, select.bytes(1).size());
    try {
      Record record = decode_record(select.bytes(1));
      record.outcome = "interrupted";
      add(std::move(record), static_cast<std::uint64_t>(id));
      ++interrupted;
    } catch (const StoreError& error) {
      std::string details = "{\"error\":";
      append_json_string(details, error.what());
      add_event("intent-damaged", 1, details + "}");
      end_intent(static_cast<std::uint64_t>(id), EndedIntent::By::event);
    }
  }
  if (interrupted > 0) {
    add_event("interrupted", interrupted, "");
  }
}

// What was interrupted is still of the host that it was asked on. Without a name (an eraser's)
// there is nothing to tell.
void Store::note_host() {
  std::string before = host_span(connection_.get(), next_record_).host;
  if (options_.host.empty() || options_.host == before) {
    return;
  }
  host_change_ = HostChange{next_record_, std::move(before), options_.host};
  add_event(kHostChanged, std::nullopt, host_change_details(*host_change_));
}

Store::Closing Store::closing_of(std::int64_t segment, std::int64_t stream_bytes) const {
  sqlite3* connection = connection_.get();
  Closing closing;
  SegmentSpan& span = closing.span;
  span.id = segment;
  span.stream_bytes = stream_bytes;
  span.closed_at = options_.clock();
  Statement own(connection, "SELECT first_record, opened_at FROM segment WHERE id = ?1");
  own.bind(1, segment).step();
  span.first_record = own.integer(0);
  span.opened_at = own.integer(1);

  // The last one that is there, if damage took the row of the one with the number before.
  Statement previous(connection,
                     "SELECT last_label, last_event, chain FROM segment WHERE id < ?1 AND "
                     "closed_at IS NOT NULL ORDER BY id DESC LIMIT 1");
  const bool found = previous.bind(1, segment).step();
  if (const auto chain = found ? from_bytes(previous.bytes(2)) : std::nullopt) {
    span.after_label = previous.integer(0);
    span.after_event = previous.integer(1);
    closing.chain_before = *chain;
  } else {
    const RetentionBase gone = read_retention_base(connection);
    span.after_label = gone.label;
    span.after_event = gone.event;
    closing.chain_before = gone.chain;
  }
  Statement last(
      connection,
      "SELECT coalesce((SELECT max(id) FROM record WHERE id >= ?1), ?1 - 1), "
      "(SELECT coalesce(max(id), 0) FROM label), (SELECT coalesce(max(id), 0) FROM event)");
  last.bind(1, span.first_record).step();
  span.last_record = last.integer(0);
  span.last_label = last.integer(1);
  span.last_event = last.integer(2);

  return closing;
}

// Inside a transaction, with all of the segment's rows written. Of one with rows that cannot be
// read, `keys_around_damage` has the keys of the others, and the digest is zeros.
void Store::finish_segment(const Closing& closing,
                           const std::optional<std::string>& keys_around_damage) {
  sqlite3* connection = connection_.get();
  const SegmentSpan& span = closing.span;
  const Sha256 digest = keys_around_damage ? Sha256{} : segment_digest(connection, span);
  const Sha256 chain = chain_next(closing.chain_before, span.id, digest);
  Statement update(connection,
                   "UPDATE segment SET last_record = ?2, last_label = ?3, last_event = ?4, "
                   "stream_bytes = ?5, closed_at = ?6, digest = ?7, chain = ?8, request_keys = ?9 "
                   "WHERE id = ?1");
  const std::string keys = keys_around_damage
                               ? *keys_around_damage
                               : request_keys(connection, span.first_record, span.last_record);
  update.bind(1, span.id).bind(2, span.last_record).bind(3, span.last_label);
  update.bind(4, span.last_event).bind(5, span.stream_bytes).bind(6, span.closed_at);
  update.bind_blob(7, bytes_of(digest)).bind_blob(8, bytes_of(chain)).bind_blob(9, keys).run();
}

}  // namespace invlog::storage
