#include "storage/eraser.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

#include "storage/delivery_ledger.h"
#include "storage/erasure_history.h"
#include "storage/json_writer.h"
#include "storage/record_row.h"
#include "storage/retention_base.h"
#include "storage/schema.h"
#include "storage/segment_decoder.h"
#include "storage/segment_encoder.h"
#include "storage/shipped_places.h"
#include "storage/side_connection.h"
#include "storage/statement.h"
#include "storage/store.h"
#include "storage/store_error.h"
#include "storage/time_text.h"
#include "storage/write_transaction.h"

namespace invlog::storage {
namespace {

constexpr std::chrono::milliseconds kPause{50};
// By when an agent has seen that its lock file was removed: it looks each second while idle, and
// before each commit, which it tries every 5 s where the disk refuses it.
constexpr std::chrono::milliseconds kAgentNotices{6000};
// Ranges of ids that an event has at most; the flag in the rows says it all.
constexpr std::size_t kMostRanges = 2000;
constexpr std::size_t kMostPlaces = 100;      // of each destination in an event
constexpr std::size_t kTakenBytes = 4 << 20;  // encoded before the compressor is flushed

// Of a record's details, what the agent says in words of its own, or of the one form that it takes:
// that is no content, and what reports count by. All else may quote the call.
constexpr const char* kKeptDetails =
    "SELECT CASE WHEN json_valid(details) THEN (SELECT nullif(json_group_object(key, CASE type "
    "WHEN 'true' THEN json('true') WHEN 'false' THEN json('false') WHEN 'object' THEN json(value) "
    "ELSE value END), '{}') FROM json_each(details) WHERE key IN ('sent', 'rule', 'capture', "
    "'signature', 'overlong', 'stream')) END FROM record WHERE id = ?1";

}  // namespace

std::string close_request_path(const std::string& store_path) {
  return store_path + "-close";
}

// A segment's stream without what was erased.
struct Eraser::Rewritten {
  std::string stream;  // the whole compressed frame
  std::int64_t stream_bytes = 0;
};

tl::expected<std::unique_ptr<Eraser>, std::string> Eraser::open(EraserOptions options) {
  options.path = resolved_store_path(options.path);
  const std::string where = "store " + options.path + ": ";
  auto connection = connect_beside_writer(options.path, options.vfs, "erasing writes");
  if (!connection) {
    return tl::unexpected(std::move(connection.error()));
  }
  if (const std::string copy = whole_copy_path(options.path); ::access(copy.c_str(), F_OK) == 0) {
    return tl::unexpected(where + "beside it is " + copy +
                          ", a copy from when its file was removed, in which nothing would be "
                          "erased; look what is in it (--store " +
                          copy + "), and remove it or put it where it belongs first");
  }
  std::unique_ptr<FileLock> lock;
  try {
    lock = FileLock::try_lock(options.path + "-erase", options.path);
  } catch (const StoreError& error) {
    return tl::unexpected(std::string(error.what()));
  }
  if (!lock) {
    return tl::unexpected(where + "another `invlog erase` is at work on it; wait until it is done");
  }
  if (!options.clock) {
    options.clock = system_now_us;
  }
  if (!options.sleep) {
    options.sleep = [](std::chrono::milliseconds time) { std::this_thread::sleep_for(time); };
  }
  return std::unique_ptr<Eraser>(
      new Eraser(std::move(options), std::move(lock), std::move(*connection)));
}

Eraser::Eraser(EraserOptions options, std::unique_ptr<FileLock> lock, Connection connection)
    : options_(std::move(options)), lock_(std::move(lock)), connection_(std::move(connection)) {}

Eraser::~Eraser() = default;

template <typename Condition>
bool Eraser::comes_true(std::chrono::milliseconds patience, const Condition& condition) {
  for (auto waited = std::chrono::milliseconds(0); !condition(); waited += kPause) {
    if (waited >= patience) {
      return false;
    }
    options_.sleep(kPause);
  }
  return true;
}

// An agent's lock file stays when it ends. Where there is none, the store was copied to here, or it
// was removed under an agent: that notices, and takes the one that is made here.
bool Eraser::agent_is_running() {
  const std::string lock = options_.path + "-lock";
  const bool was_there = ::access(lock.c_str(), F_OK) == 0;
  const auto is_held = [&] { return FileLock::try_lock(lock, options_.path) == nullptr; };
  const auto patience = was_there ? std::chrono::milliseconds(0) : kAgentNotices;
  return comes_true(std::min(patience, options_.patience), is_held);
}

// What an agent does when it starts and stops: ends what a crash left open, and puts events that no
// segment covers into the chain.
void Eraser::recover() {
  Statement select(connection_.get(), "SELECT region FROM store");
  WriterOptions options;
  options.path = options_.path;
  options.vfs = options_.vfs;
  options.clock = options_.clock;
  options.lock_patience = std::chrono::milliseconds(0);
  options.region = select.step() ? select.bytes(0) : "";
  select.reset();
  try {
    Store store(options);
    store.close();
  } catch (const StoreError&) {
    // An agent that has started meanwhile has done it.
    if (!agent_is_running()) {
      throw;
    }
  }
}

bool Eraser::segment_is_open(std::int64_t last_record) {
  Statement open(connection_.get(),
                 "SELECT 1 FROM segment WHERE closed_at IS NULL AND first_record <= ?1");
  return open.bind(1, last_record).step();
}

void Eraser::close_segments(std::int64_t last_record) {
  if (!agent_is_running()) {
    recover();
    return;
  }
  if (!segment_is_open(last_record)) {
    return;
  }
  const std::string request = close_request_path(options_.path);
  // Root may run this, and the directory is the agent's: no link is followed, no pipe waited for.
  const int file =
      ::open(request.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
  if (file < 0) {
    throw StoreError("store " + options_.path + ": cannot create " + request + ": " +
                     std::strerror(errno) + "; if it is there and no empty file, remove it");
  }
  ::close(file);
  if (comes_true(options_.patience, [&] { return !segment_is_open(last_record); })) {
    return;
  }
  ::unlink(request.c_str());
  if (!agent_is_running()) {  // it ended meanwhile
    recover();
    return;
  }
  throw StoreError(
      "store " + options_.path +
      ": its agent did not close the segment that it is writing, which holds records that are to "
      "be erased; is its disk full (`invlog status`), or is it an older invlog? It closes the "
      "segment by itself at the end of the day (UTC) and when it is stopped: run this again then");
}

// No value: there is no such closed segment.
std::optional<SegmentSpan> Eraser::span_of(std::int64_t segment, Sha256& recorded) {
  Statement select(
      connection_.get(),
      "SELECT first_record, last_record, last_label, last_event, opened_at, closed_at, "
      "stream_bytes, digest FROM segment WHERE id = ?1 AND closed_at IS NOT NULL");
  if (!select.bind(1, segment).step()) {
    return std::nullopt;
  }
  const auto digest = from_bytes(select.bytes(7));
  if (!digest) {
    throw StoreError("segment " + std::to_string(segment) +
                     " is closed, but has no digest; see `invlog verify`");
  }
  recorded = *digest;
  SegmentSpan span;
  span.id = segment;
  span.first_record = select.integer(0);
  span.last_record = select.integer(1);
  span.last_label = select.integer(2);
  span.last_event = select.integer(3);
  span.opened_at = select.integer(4);
  span.closed_at = select.integer(5);
  span.stream_bytes = select.integer(6);
  Statement before(connection_.get(),
                   "SELECT last_label, last_event FROM segment WHERE id < ?1 AND closed_at IS NOT "
                   "NULL ORDER BY id DESC LIMIT 1");
  if (before.bind(1, segment).step()) {
    span.after_label = before.integer(0);
    span.after_event = before.integer(1);
  } else {
    const RetentionBase base = read_retention_base(connection_.get());
    span.after_label = base.label;
    span.after_event = base.event;
  }
  return span;
}

// Encodes all entries anew: what referred to an erased body is written out.
Eraser::Rewritten Eraser::encode(const SegmentSpan& span,
                                 const std::vector<std::int64_t>& records) {
  const auto stream_bytes =
      static_cast<std::uint64_t>(std::max<std::int64_t>(1, span.stream_bytes));
  SegmentDecoder decoder(stream_bytes, stream_bytes);
  Statement chunks(connection_.get(),
                   "SELECT bytes FROM chunk WHERE id BETWEEN ?1 AND ?2 ORDER BY id");
  chunks.bind(1, chunk_id(span.id, 0)).bind(2, chunk_id(span.id + 1, 0) - 1);
  while (chunks.step()) {
    decoder.feed(chunks.bytes(0));
  }
  const std::int64_t entries = span.last_record - span.first_record + 1;
  if (!decoder.ended() || !decoder.at_entry_boundary() ||
      static_cast<std::int64_t>(decoder.entries()) != entries) {
    throw StoreError("its stream is damaged");
  }
  Rewritten rewritten;
  SegmentEncoder encoder;
  encoder.begin();
  std::uint64_t taken = 0;
  for (std::int64_t id = span.first_record; id <= span.last_record; ++id) {
    const auto index = static_cast<std::size_t>(id - span.first_record);
    if (std::binary_search(records.begin(), records.end(), id)) {
      encoder.add("", "");
    } else {
      encoder.add(decoder.request(index), decoder.response(index));
    }
    if (encoder.stream_bytes() >= taken + kTakenBytes) {
      taken = encoder.stream_bytes();
      encoder.take(rewritten.stream);
    }
  }
  encoder.take(rewritten.stream);
  rewritten.stream += kFrameEnd;
  rewritten.stream_bytes = static_cast<std::int64_t>(encoder.stream_bytes());
  return rewritten;
}

bool Eraser::erase(const ErasureSelection::Segment& segment) {
  const std::string where = "store " + options_.path + ": segment " + std::to_string(segment.id);
  Sha256 recorded, before;
  std::optional<SegmentSpan> span;
  Rewritten rewritten;
  try {
    // Without the write lock, which the agent's commits need: what is closed stays as it is, but
    // for this and for retention.
    execute(connection_.get(), "BEGIN");
    struct EndReading {
      sqlite3* connection;
      ~EndReading() { sqlite3_exec(connection, "ROLLBACK", nullptr, nullptr, nullptr); }
    } const end{connection_.get()};
    span = span_of(segment.id, recorded);
    if (!span) {
      return false;
    }
    before = ErasureHistory(connection_.get()).expected(segment.id, recorded);
    if (segment_digest(connection_.get(), *span) != before) {
      throw StoreError("it was changed after it was closed");
    }
    rewritten = encode(*span, segment.records);
  } catch (const StoreError& error) {
    throw StoreError(where + ": " + error.what() +
                         "; nothing was erased from it. `invlog verify` shows what is wrong",
                     error.sqlite_code());
  }
  try {
    return write(segment, *span, before, rewritten);
  } catch (const StoreError& error) {
    throw StoreError(where + ": " + error.what() + "; nothing was erased from it",
                     error.sqlite_code());
  }
}

// False: retention took the segment meanwhile.
bool Eraser::write(const ErasureSelection::Segment& segment, SegmentSpan& span,
                   const Sha256& before, const Rewritten& rewritten) {
  WriteTransaction transaction(connection_.get());
  if (Sha256 recorded; !span_of(segment.id, recorded)) {
    return false;
  }
  replace_chunks(span, rewritten.stream);
  clear_rows(segment.records);
  Statement(connection_.get(), "UPDATE segment SET stream_bytes = ?2 WHERE id = ?1")
      .bind(1, segment.id)
      .bind(2, rewritten.stream_bytes)
      .run();
  span.stream_bytes = rewritten.stream_bytes;
  add_event(segment, before, segment_digest(connection_.get(), span));
  transaction.commit();
  return true;
}

// First overwritten where they stand: SQLite wipes what is deleted (secure_delete), but not what it
// moves to another page when a page runs empty.
void Eraser::replace_chunks(const SegmentSpan& span, const std::string& stream) {
  const std::int64_t first = chunk_id(span.id, 0), last = chunk_id(span.id + 1, 0) - 1;
  for (const char* sql :
       {"UPDATE chunk SET bytes = zeroblob(length(bytes)) WHERE id BETWEEN ?1 AND ?2",
        "DELETE FROM chunk WHERE id BETWEEN ?1 AND ?2"}) {
    Statement(connection_.get(), sql).bind(1, first).bind(2, last).run();
  }
  Statement insert(connection_.get(), "INSERT INTO chunk(id, bytes) VALUES (?1, ?2)");
  std::int64_t number = 0;
  for (std::string_view rest = stream; !rest.empty(); ++number) {
    const std::string_view part = rest.substr(0, kChunkBytes);
    insert.bind(1, chunk_id(span.id, number)).bind_blob(2, part).run();
    rest.remove_prefix(part.size());
  }
}

void Eraser::clear_rows(const std::vector<std::int64_t>& records) {
  std::vector<std::string> kept;
  Statement select(connection_.get(), kKeptDetails);
  for (const std::int64_t id : records) {
    kept.emplace_back(select.bind(1, id).step() ? select.bytes(0) : std::string_view());
    select.reset();
  }
  // In two passes, for the same reason.
  Statement blank(connection_.get(),
                  "UPDATE record SET details = CAST(zeroblob(length(CAST(details AS BLOB))) AS "
                  "TEXT) WHERE id = ?1 AND details IS NOT NULL");
  for (const std::int64_t id : records) {
    blank.bind(1, id).run();
  }
  Statement clear(connection_.get(),
                  "UPDATE record SET request_bytes = 0, response_bytes = 0, checksum = ?2, flags = "
                  "(flags & ~6) | ?3, details = ?4 WHERE id = ?1");
  for (std::size_t at = 0; at < records.size(); ++at) {
    clear.bind(1, records[at])
        .bind(2, static_cast<std::int64_t>(body_checksum(records[at], "", "")))
        .bind(3, kErasedFlag)
        .bind_text_or_null(4, kept[at])
        .run();
  }
}

void Eraser::add_event(const ErasureSelection::Segment& segment, const Sha256& before,
                       const Sha256& after) {
  std::string details = "{";
  if (!options_.why.empty()) {
    append_json_member(details, "why", options_.why);
  }
  append_json_member(details, "criterion", options_.criterion);
  append_json_number(details, "segment", segment.id);
  append_json_raw(details, "records", ranges_json(segment.records, kMostRanges));
  append_json_member(details, "before", hex(before));
  append_json_member(details, "after", hex(after));
  ErasureSelection alone;
  alone.segments.push_back(segment);
  std::string shipped;
  for (const ShippedPlaces& each : shipped_places(connection_.get(), alone)) {
    shipped += (shipped.empty() ? "" : ",") + shipped_places_json(each, kMostPlaces);
  }
  if (!shipped.empty()) {
    append_json_raw(details, "shipped", "[" + shipped + "]");
  }
  Statement(connection_.get(),
            "INSERT INTO event(at, kind, count, details) VALUES (?1, 'erased', ?2, ?3)")
      .bind(1, options_.clock())
      .bind(2, static_cast<std::int64_t>(segment.records.size()))
      .bind_text(3, details + "}")
      .run();
}

// A batch that was read before and is being sent now is on its way; those that follow are read anew
// (exporters/delivery_turn.h). One that takes longer shows as under way.
void Eraser::await_deliveries() {
  std::vector<std::string> destinations;
  if (has_delivery_tables(connection_.get())) {
    Statement select(connection_.get(), "SELECT destination FROM delivery");
    while (select.step()) {
      destinations.emplace_back(select.bytes(0));
    }
  }
  for (const std::string& destination : destinations) {
    comes_true(options_.patience,
               [&] { return try_delivery_lock(options_.path, destination) != nullptr; });
  }
}

bool Eraser::finish() {
  await_deliveries();
  if (!agent_is_running()) {
    recover();
  }
  sqlite3_busy_timeout(connection_.get(), static_cast<int>(kPause.count()));
  return comes_true(options_.patience, [this] {
    return sqlite3_wal_checkpoint_v2(connection_.get(), "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr,
                                     nullptr) == SQLITE_OK;
  });
}

}  // namespace invlog::storage
