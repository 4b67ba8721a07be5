#include "storage/store.h"

#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "storage/eraser.h"
#include "storage/record_codec.h"
#include "storage/request_keys.h"
#include "storage/schema.h"
#include "storage/segment_decoder.h"
#include "storage/store_error.h"
#include "storage/time_text.h"

namespace invlog::storage {
namespace {

constexpr std::uint64_t kRowBytes = 300;  // about what a row takes without long texts
// How often it is told how many events were left out.
constexpr std::int64_t kLeftOutSpanUs = 86'400'000'000;

// Somebody else ended the segment that is being written.
class SegmentEnded : public StoreError {
 public:
  using StoreError::StoreError;
};

// About what a record's row takes, without labels.
std::uint64_t row_bytes(const Record& record) {
  return kRowBytes + record.details.size() + record.request_id.size() +
         record.sdk_invocation_id.size();
}

}  // namespace

struct Store::Statements {
  explicit Statements(sqlite3* connection)
      : insert_record(connection, insert_record_sql()),
        insert_segment(connection,
                       "INSERT INTO segment(id, first_record, opened_at) VALUES (?1, ?2, ?3)"),
        select_open(connection, "SELECT 1 FROM segment WHERE id = ?1 AND closed_at IS NULL"),
        insert_chunk(connection, "INSERT INTO chunk(id, bytes) VALUES (?1, ?2)"),
        replace_chunk(connection, "INSERT OR REPLACE INTO chunk(id, bytes) VALUES (?1, ?2)"),
        insert_intent(connection, "INSERT INTO intent(id, bytes) VALUES (?1, ?2)"),
        delete_intent(connection, "DELETE FROM intent WHERE id = ?1"),
        insert_event(connection,
                     "INSERT INTO event(at, kind, count, details) VALUES (?1, ?2, ?3, ?4)") {}

  Statement insert_record, insert_segment, select_open, insert_chunk, replace_chunk, insert_intent,
      delete_intent, insert_event;
};

Store::Store(const WriterOptions& options)
    : options_(options),
      clock_watch_(options.clock, options.steady_clock ? options.steady_clock : options.clock) {
  open_file();
  try {
    prepare();
    recover();
    tell_clock_watch();
  } catch (const StoreError& error) {
    throw_if_damaged(error);
    throw;
  }
}

void Store::prepare() {
  labels_ = std::make_unique<LabelWriter>(connection_.get());
  statements_ = std::make_unique<Statements>(connection_.get());
  retention_ = std::make_unique<Retention>(connection_.get(), options_.path, options_.retention,
                                           options_.clock, clock_watch_);
}

void Store::tell_clock_watch() {
  try {
    clock_watch_.remember(
        single_integer(connection_.get(), "SELECT started_at FROM record ORDER BY id DESC LIMIT 1"),
        single_integer(connection_.get(),
                       "SELECT max(at) FROM (SELECT at, kind FROM event ORDER BY id DESC LIMIT "
                       "1000) WHERE kind = 'clock-set'"));
  } catch (const StoreError&) {
    // A damaged page keeps nobody from recording: it shows where somebody needs what is on it.
  }
}

std::string Store::clock_problem() const {
  if (options_.retention.max_age.count() == 0 || clock_watch_.problem().empty()) {
    return "";
  }
  return clock_watch_.problem() +
         "; nothing goes by max_age until it has run on for six hours, or a tenth of max_age";
}

// The open segment goes on: what is in memory of it is what the file has.
void Store::reopen() {
  retention_.reset();
  statements_.reset();
  labels_.reset();
  connection_.reset();
  lock_.reset();
  open_file();
  prepare();
}

void Store::set_retention(const RetentionOptions& retention) {
  if (retention_) {  // else reopen() failed, and will make it
    retention_ = std::make_unique<Retention>(connection_.get(), options_.path, retention,
                                             options_.clock, clock_watch_);
  }
  options_.retention = retention;
}

Store::~Store() {
  try {
    close();
  } catch (const StoreError&) {
    // What is open is ended at the next start, as after a crash.
  }
}

Store::BodyBytes Store::add(Record record, std::uint64_t intent) {
  for (Body* body : {&record.request, &record.response}) {
    if (body->bytes.size() > kMaximumBodyBytes) {
      body->bytes.resize(kMaximumBodyBytes);
      body->truncated = true;
      body->is_json = false;
    }
  }
  if (segment_.id == 0) {
    begin_segment();
  }
  RecordRow row;
  row.id = next_record_++;
  row.request_bytes = static_cast<std::int64_t>(record.request.bytes.size());
  row.response_bytes = static_cast<std::int64_t>(record.response.bytes.size());
  row.checksum = body_checksum(row.id, record.request.bytes, record.response.bytes);
  encoder_.add(record.request.bytes, record.response.bytes);
  group_bytes_ +=
      record.request.bytes.size() + record.response.bytes.size() + record.details.size();
  BodyBytes bodies{std::move(record.request.bytes), std::move(record.response.bytes)};
  segment_.row_bytes += row_bytes(record);
  row.record = std::move(record);
  rows_.push_back(std::move(row));
  if (intent != 0) {
    end_intent(intent, EndedIntent::By::record);
  }
  return bodies;
}

std::uint64_t Store::add_intent(const Record& record) {
  std::string bytes = encode_record(record);
  // They go only with their records, which need room, too: so they must not take all of it. One by
  // itself passes, whatever its size; else it never would.
  if (all_intent_bytes_ > 0 && retention_ &&
      all_intent_bytes_ + bytes.size() > retention_->intent_bytes()) {
    return 0;
  }
  const std::uint64_t id = next_intent_++;
  count_intent(static_cast<std::int64_t>(id), bytes.size());
  intents_.push_back({static_cast<std::int64_t>(id), std::move(bytes)});
  group_bytes_ += record.request.bytes.size();
  return id;
}

void Store::forget_intent(std::uint64_t intent) {
  end_intent(intent, EndedIntent::By::drop);
}

// One that ends at once may be in the group still: then it need not be written.
void Store::end_intent(std::uint64_t intent, EndedIntent::By by) {
  const auto id = static_cast<std::int64_t>(intent);
  if (std::erase_if(intents_, [id](const IntentRow& row) { return row.id == id; }) != 0) {
    uncount_intent(id);
  } else {
    ended_intents_.push_back({id, by});
  }
}

bool Store::has_written(std::uint64_t intent) const {
  const auto id = static_cast<std::int64_t>(intent);
  return intent_bytes_.count(id) != 0 &&
         std::none_of(intents_.begin(), intents_.end(),
                      [id](const IntentRow& row) { return row.id == id; });
}

std::vector<std::uint64_t> Store::drop_intents() {
  std::vector<std::uint64_t> dropped;
  for (const IntentRow& intent : std::exchange(intents_, {})) {
    uncount_intent(intent.id);
    dropped.push_back(static_cast<std::uint64_t>(intent.id));
  }
  return dropped;
}

void Store::count_intent(std::int64_t id, std::uint64_t bytes) {
  intent_bytes_[id] = bytes;
  all_intent_bytes_ += bytes;
}

void Store::uncount_intent(std::int64_t id) {
  if (const auto counted = intent_bytes_.extract(id)) {
    all_intent_bytes_ -= counted.mapped();
  }
}

// What their rows give back.
std::uint64_t Store::ended_intent_bytes() const {
  std::uint64_t bytes = 0;
  for (const EndedIntent& ended : ended_intents_) {
    const auto counted = intent_bytes_.find(ended.id);
    bytes += counted != intent_bytes_.end() ? counted->second : 0;
  }
  return bytes;
}

void Store::add_event(std::string kind, std::optional<std::int64_t> count, std::string details) {
  const std::int64_t now = options_.clock();
  if (is_passing_event(kind) && retention_ && !retention_->takes_passing_event(details.size())) {
    ++left_out_;
  } else {
    events_.push_back({now, std::move(kind), count, std::move(details)});
  }
  if (left_out_ > 0 && now - left_out_told_ >= kLeftOutSpanUs) {
    tell_left_out(now);
  }
}

void Store::tell_left_out(std::int64_t now) {
  events_.push_back({now, "events-dropped", std::exchange(left_out_, 0), R"({"why":"max_size"})"});
  left_out_told_ = now;
}

// What could not be told since the last time; if there is no room for it, it stays untold.
void Store::tell_left_out_at_the_end() {
  if (left_out_ == 0 || !group_empty()) {
    return;
  }
  try {
    tell_left_out(options_.clock());
    commit();
  } catch (const StoreError&) {
    drop_group();
  }
}

bool Store::group_empty() const {
  return rows_.empty() && intents_.empty() && events_.empty() && ended_intents_.empty();
}

bool Store::segment_due() const {
  if (segment_.id == 0) {
    return false;
  }
  // Each conversation is written out anew in the next segment, so where references pay, a long
  // segment is worth having. Where after many records they still save little, a short one costs
  // nothing and is read in half the time.
  constexpr std::uint64_t kEnoughToTell = 1024;
  const bool references_pay =
      encoder_.entries() < kEnoughToTell || encoder_.body_bytes() >= 8 * encoder_.stream_bytes();
  const std::uint64_t limit = references_pay ? options_.segment_bytes : options_.segment_bytes / 2;
  const std::uint64_t most_records =
      std::min<std::uint64_t>(kMaximumSegmentRecords, retention_->segment_records());
  const std::uint64_t stored =
      static_cast<std::uint64_t>(segment_.chunks) * kChunkBytes + segment_.row_bytes;
  const std::int64_t now = options_.clock();
  return encoder_.stream_bytes() >= limit || stored >= retention_->segment_bytes() ||
         encoder_.entries() >= most_records || utc_day(now) != utc_day(segment_.opened_at) ||
         now - segment_.opened_at >= retention_->segment_span_us();
}

void Store::begin_segment() {
  encoder_.begin();
  segment_ = {};
  segment_.id = last_segment_ + 1;
  segment_.first_record = next_record_;
  segment_.opened_at = options_.clock();
}

void Store::in_transaction(void (Store::*work)()) {
  in_progress_ = segment_;
  execute(connection_.get(), "BEGIN IMMEDIATE");
  try {
    (this->*work)();
    execute(connection_.get(), "COMMIT");
  } catch (const StoreError&) {
    labels_->forget();
    if (sqlite3_get_autocommit(connection_.get()) == 0) {
      sqlite3_exec(connection_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    }
    throw;
  }
  segment_ = in_progress_;
}

void Store::commit() {
  if (group_empty()) {
    return;
  }
  if (!rows_.empty()) {
    encoder_.take(stream_);
  }
  restore_file();
  make_room();
  try {
    in_transaction(&Store::write_group);
  } catch (const SegmentEnded&) {
    leave_segment();
    make_room();
    in_transaction(&Store::write_group);
  }
  for (const EndedIntent& ended : ended_intents_) {
    uncount_intent(ended.id);
  }
  clear_group();
}

std::size_t Store::drop_group() {
  next_record_ -= static_cast<std::int64_t>(rows_.size());
  const auto on_record =
      std::count_if(ended_intents_.begin(), ended_intents_.end(),
                    [](const EndedIntent& ended) { return ended.by == EndedIntent::By::record; });
  const std::size_t lost = rows_.size() - static_cast<std::size_t>(on_record);
  drop_intents();
  std::vector<EndedIntent> forgotten = std::exchange(ended_intents_, {});
  std::erase_if(forgotten,
                [](const EndedIntent& ended) { return ended.by != EndedIntent::By::drop; });
  clear_group();
  ended_intents_ = std::move(forgotten);
  return lost;
}

void Store::clear_group() {
  rows_.clear();
  ended_intents_.clear();
  intents_.clear();
  events_.clear();
  host_change_.reset();
  stream_ = {};
  group_bytes_ = 0;
}

// About what the group's labels take that the store may not have yet. Each stands in the table and,
// in no order, in the index; what is long has pages of its own in both.
std::uint64_t Store::new_label_bytes() const {
  constexpr std::uint64_t kLong = 960, kPageBytes = 4096, kEntryBytes = 16;
  std::unordered_set<std::string_view> texts;
  std::uint64_t bytes = 0;
  for (const RecordRow& row : rows_) {
    for (const std::string_view text : label_texts(row.record)) {
      if (labels_->may_be_new(text) && texts.insert(text).second) {
        const std::uint64_t size = std::min(text.size(), kMostLabelBytes);
        bytes += size > kLong ? 2 * (size + kPageBytes) : 3 * size + kEntryBytes;
      }
    }
  }
  return bytes;
}

// About what the group takes, so that the file does not grow past its limit.
void Store::make_room() {
  if (options_.retention.max_size_bytes == 0) {
    return;
  }
  constexpr std::uint64_t kSlack = 32 * 1024;  // pages of trees above the rows
  std::uint64_t bytes = kSlack + stream_.size() + stream_.size() / 64 + new_label_bytes();
  for (const RecordRow& row : rows_) {
    bytes += row_bytes(row.record);
  }
  for (const IntentRow& intent : intents_) {
    bytes += intent.bytes.size();
  }
  for (const EventRow& event : events_) {
    bytes += kRowBytes + event.details.size();
  }
  const bool small = intents_.empty() && (rows_.empty() || !ended_intents_.empty());
  retention_->make_room(bytes, ended_intent_bytes(), small, [this] {
    if (told_) {
      told_("it has reached max_size, and room is being made");
    }
  });
}

// In a transaction. Whoever takes the lock after its file was removed ends what is open, as after a
// crash, and may begin segments of its own.
void Store::check_segment() {
  bool own = false;
  if (in_progress_.row_written) {
    own = statements_->select_open.bind(1, in_progress_.id).step();
    statements_->select_open.reset();
  } else {
    own = single_integer(connection_.get(), "SELECT max(id) FROM segment") <= last_segment_;
  }
  if (!own) {
    throw SegmentEnded(
        "store " + options_.path + ": another invlog wrote it meanwhile; its lock file was removed",
        SQLITE_BUSY);
  }
}

// What is collected goes into a new segment, with numbers after all that is there by now.
void Store::leave_segment() {
  std::vector<BodyBytes> bodies = collected_bodies();
  auto labels = std::make_unique<LabelWriter>(connection_.get());
  const NewestNumbers newest = newest_numbers();
  last_segment_ = newest.segment;
  next_record_ = newest.record + 1;
  labels_ = std::move(labels);
  const std::int64_t left = std::exchange(segment_, {}).id;
  if (rows_.empty()) {
    return;
  }
  begin_segment();
  stream_.clear();
  std::int64_t lost = 0;
  for (std::size_t at = 0; at < rows_.size(); ++at) {
    RecordRow& row = rows_[at];
    BodyBytes& body = bodies[at];
    if (body_checksum(row.id, body.request, body.response) != row.checksum) {
      ++lost;
      body = {};
      row.record.request.truncated |= row.request_bytes > 0;
      row.record.response.truncated |= row.response_bytes > 0;
      row.record.request.is_json = row.record.response.is_json = false;
    }
    row.id = next_record_++;
    row.request_bytes = static_cast<std::int64_t>(body.request.size());
    row.response_bytes = static_cast<std::int64_t>(body.response.size());
    row.checksum = body_checksum(row.id, body.request, body.response);
    encoder_.add(body.request, body.response);
    segment_.row_bytes += row_bytes(row.record);
  }
  encoder_.take(stream_);
  if (lost > 0) {
    add_event("bodies-lost", lost, "{\"segment\":" + std::to_string(left) + "}");
  }
}

// Of each row; the stream alone has them, and decodes only with what of the segment is committed.
// Empty where that is not as it was: something of it was erased since.
std::vector<Store::BodyBytes> Store::collected_bodies() const {
  std::vector<BodyBytes> bodies(rows_.size());
  if (rows_.empty()) {
    return bodies;
  }
  const std::size_t committed =
      static_cast<std::size_t>(segment_.chunks) * kChunkBytes + segment_.tail.size();
  std::string stream;
  const std::int64_t first = chunk_id(segment_.id, 0);
  Statement chunks(connection_.get(),
                   "SELECT bytes FROM chunk WHERE id BETWEEN ?1 AND ?2 ORDER BY id");
  chunks.bind(1, first).bind(2, first + segment_.chunks);
  while (segment_.row_written && chunks.step()) {
    stream += chunks.bytes(0);
  }
  stream.resize(std::min(stream.size(), committed));
  stream += stream_;
  try {
    SegmentDecoder decoder(0, encoder_.stream_bytes());
    decoder.feed(stream);
    if (decoder.entries() != encoder_.entries()) {
      return bodies;
    }
    const std::size_t before = decoder.entries() - rows_.size();
    for (std::size_t at = 0; at < rows_.size(); ++at) {
      bodies[at] = {decoder.request(before + at), std::string(decoder.response(before + at))};
    }
  } catch (const StoreError&) {
    return std::vector<BodyBytes>(rows_.size());
  }
  return bodies;
}

void Store::write_group() {
  if (!rows_.empty()) {
    check_segment();
  }
  if (!rows_.empty() && !in_progress_.row_written) {
    statements_->insert_segment.bind(1, in_progress_.id)
        .bind(2, in_progress_.first_record)
        .bind(3, in_progress_.opened_at)
        .run();
    in_progress_.row_written = true;
  }
  // First, so that what follows may take their place.
  for (const EndedIntent& ended : ended_intents_) {
    statements_->delete_intent.bind(1, ended.id).run();
  }
  for (const RecordRow& row : rows_) {
    insert_record(statements_->insert_record, row, *labels_);
  }
  append_chunks(stream_);
  if (!rows_.empty()) {
    in_progress_.stream_bytes = static_cast<std::int64_t>(encoder_.stream_bytes());
  }
  for (const IntentRow& intent : intents_) {
    statements_->insert_intent.bind(1, intent.id).bind_blob(2, intent.bytes).run();
  }
  for (const EventRow& event : events_) {
    write_event(event);
  }
  if (host_change_) {
    write_host_change(connection_.get(), *host_change_);
  }
}

void Store::write_event(const EventRow& event) {
  statements_->insert_event.bind(1, event.at)
      .bind_text(2, event.kind)
      .bind(3, event.count)
      .bind_text_or_null(4, event.details)
      .run();
}

// Chunk rows fill SQLite's pages exactly; only the last one is short, and grows with each commit.
void Store::append_chunks(std::string_view bytes) {
  if (bytes.empty()) {
    return;
  }
  SegmentState& segment = in_progress_;
  while (!bytes.empty()) {
    // Over no other than the short one.
    Statement& put = segment.tail.empty() ? statements_->insert_chunk : statements_->replace_chunk;
    const std::string_view part = bytes.substr(0, kChunkBytes - segment.tail.size());
    segment.tail += part;
    bytes.remove_prefix(part.size());
    put.bind(1, chunk_id(segment.id, segment.chunks)).bind_blob(2, segment.tail).run();
    if (segment.tail.size() == kChunkBytes) {
      ++segment.chunks;
      segment.tail.clear();
    }
  }
}

void Store::finish_open_segment() {
  check_segment();
  if (!in_progress_.row_written) {
    statements_->insert_segment.bind(1, in_progress_.id)
        .bind(2, in_progress_.first_record)
        .bind(3, in_progress_.opened_at)
        .run();
  } else {
    append_chunks(kFrameEnd);
  }
  finish_segment(closing_of(in_progress_.id, in_progress_.stream_bytes));
}

void Store::close_segment() {
  if (segment_.id == 0) {
    return;
  }
  try {
    in_transaction(&Store::finish_open_segment);
  } catch (const SegmentEnded&) {
    leave_segment();
    return;
  }
  last_segment_ = segment_.id;
  segment_ = {};
}

bool Store::close_requested() const {
  return ::access(close_request_path(options_.path).c_str(), F_OK) == 0;
}

void Store::answer_close_request() {
  ::unlink(close_request_path(options_.path).c_str());
}

void Store::close() {
  if (!connection_) {
    return;
  }
  const auto release = [this] {
    retention_.reset();
    statements_.reset();
    labels_.reset();
    connection_.reset();
    lock_.reset();
  };
  try {
    restore_file();
    tell_left_out_at_the_end();
    close_segment();
    Statement uncovered(connection_.get(),
                        "SELECT coalesce(max(id), 0) > coalesce((SELECT max(last_event) FROM "
                        "segment), 0) FROM event");
    uncovered.step();
    if (uncovered.integer(0) != 0) {
      uncovered.reset();
      begin_segment();
      close_segment();
    }
  } catch (...) {
    release();
    throw;
  }
  release();
}

}  // namespace invlog::storage
