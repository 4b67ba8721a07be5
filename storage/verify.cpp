#include "storage/verify.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "storage/erasure_history.h"
#include "storage/integrity.h"
#include "storage/read_transaction.h"
#include "storage/reader.h"
#include "storage/record_row.h"
#include "storage/request_keys.h"
#include "storage/retention_base.h"
#include "storage/row_order.h"
#include "storage/schema.h"
#include "storage/statement.h"
#include "storage/store_error.h"
#include "storage/store_file.h"
#include "storage/store_identity.h"
#include "storage/table_definitions.h"

namespace invlog::storage {
namespace {

constexpr std::size_t kMostProblems = 1000;
constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();  // of all possible ids

class Verification {
 public:
  Verification(Reader& reader, const std::vector<KnownHead>& heads)
      : reader_(reader), connection_(reader.connection()), heads_(heads) {}

  VerifyReport run(const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
    guarded("file", [this] { check_file(); });
    in_snapshot("store", [this] { check_schema(); });
    if (!tables_are_ours_) {
      return std::move(report_);
    }
    in_snapshot("store", [this] { check_rows(); });
    in_snapshot("store", [this] { check_identity(); });
    in_snapshot("retention", [this] { begin(); });
    in_snapshot("heads", [this] { check_heads(); });
    check_segments(progress);
    in_snapshot("records", [this] { check_leftovers(); });
    in_snapshot("erasure", [this] { check_erasures(); });
    in_snapshot("delivery", [this] { check_delivery(); });
    in_snapshot("retention", [this] { check_moved_base(); });
    in_snapshot("retention", [this] { note_taken(); });
    return std::move(report_);
  }

 private:
  void problem(std::string where, std::string what) {
    if (report_.problems.size() < kMostProblems) {
      report_.problems.push_back({std::move(where), std::move(what)});
    }
  }

  // What is too damaged to be read is a finding, and the rest is checked all the same.
  template <typename Check>
  void guarded(const std::string& where, const Check& check) {
    try {
      check();
    } catch (const StoreError& error) {
      problem(where, error.what());
    }
  }

  // What a check compares is read in one snapshot; each has its own, so that none is held for long
  // while an agent writes. What is closed stays as it is, but for what events tell: so they are
  // looked at first.
  template <typename Check>
  void in_snapshot(const std::string& where, const Check& check) {
    guarded(where, [&] {
      const ReadTransaction snapshot(connection_);
      take_news();
      check();
    });
  }

  // What retention and erasures did, as the snapshot has it.
  void take_news() {
    try {
      const std::int64_t newest = integer("SELECT coalesce(max(id), 0) FROM event");
      if (newest != newest_event_) {
        newest_event_ = newest;
        base_ = read_retention_base(connection_);
        history_.reset();
        history_.emplace(connection_);
      }
    } catch (const StoreError& error) {
      if (!std::exchange(events_unreadable_, true)) {
        problem("events", error.what());
      }
    }
  }

  std::int64_t integer(const std::string& sql) {
    Statement select(connection_, sql);
    return select.step() ? select.integer(0) : 0;
  }

  void check_file() {
    Statement select(connection_, "PRAGMA integrity_check");
    while (select.step()) {
      if (select.bytes(0) != "ok") {
        problem("file", std::string(select.bytes(0)));
      }
    }
  }

  void check_rows() {
    report_.events = static_cast<std::uint64_t>(integer("SELECT count(*) FROM event"));
    if (integer("SELECT count(*) FROM store") != 1) {
      problem("store", "the `store` table must have one row");
    }
    const std::int64_t elsewhere = integer(
        "SELECT count(*) FROM record WHERE source_region IS NOT (SELECT region FROM store)");
    if (elsewhere != 0) {
      problem("store", std::to_string(elsewhere) + " records are not of the pinned Region");
    }
  }

  // What the rows are called, and what shows or changes them, is as invlog wrote it. The constant
  // of `record`'s generated column is what pins it to the Region.
  void check_schema() {
    for (std::string& what : table_problems(connection_, reader_.information().region)) {
      tables_are_ours_ = false;
      problem("store", what + ". Nothing else was checked");
    }
    for (std::string& what : schema_problems(connection_)) {
      problem("store", std::move(what));
    }
  }

  void check_identity() {
    for (std::string& what : identity_problems(connection_)) {
      problem("store", std::move(what));
    }
  }

  struct SegmentRow {
    SegmentSpan span;
    bool closed = false;
    std::optional<Sha256> digest, chain;
  };

  void begin() {
    follow_base();
    last_to_check_ = integer("SELECT max(id) FROM segment");
    report_.segments = static_cast<std::uint64_t>(integer("SELECT count(*) FROM segment"));
    check_base();
  }

  // The next segment is to follow what retention took last.
  void follow_base() {
    followed_base_ = base_.own_event;
    chain_ = base_.chain;
    last_segment_ = base_.segment;
    last_record_ = base_.record;
    last_label_ = base_.label;
    last_event_ = base_.event;
    if (base_.segment != 0) {
      report_.chain_head = hex(base_.chain);
      report_.chain_segment = base_.segment;
    }
  }

  // Where the store begins after retention; what stayed of what went must still be as it was.
  void check_base() {
    checked_base_ = base_.own_event;
    if (!base_.readable) {
      problem("retention", "the newest `retention` event does not say where the store begins");
    }
    if (base_.segment == 0) {
      return;
    }
    if (base_.own_event <= base_.event) {
      problem("retention", "the newest `retention` event is older than the segments that it took");
    }
    RetentionBase nothing;
    nothing.passing_after = base_.passing_after;
    if (kept_labels_digest(connection_, nothing, base_.label) != base_.labels) {
      problem("retention", "labels of segments that are gone were changed");
    }
    if (kept_events_digest(connection_, nothing, base_.event) != base_.events ||
        integer("SELECT count(*) FROM event WHERE kind = 'retention' AND id <= " +
                std::to_string(base_.event)) != 0) {
      problem("retention", "events of segments that are gone were changed");
    }
  }

  // Retention may have taken segments meanwhile: what it left must follow from what it says.
  void check_moved_base() {
    if (base_.own_event != checked_base_) {
      check_base();
    } else if (!report_.problems.empty()) {
      return;  // so that one change is one finding
    }
    Statement first(connection_, "SELECT id, digest, chain, closed_at FROM segment ORDER BY id");
    if (!first.step()) {
      return;
    }
    const std::int64_t segment = first.integer(0);
    const auto digest = from_bytes(first.bytes(1)), chain = from_bytes(first.bytes(2));
    const bool closed = !first.is_null(3);
    if (segment != base_.segment + 1 ||
        (closed && (!digest || !chain || chain_next(base_.chain, segment, *digest) != *chain))) {
      problem("segment " + std::to_string(segment),
              "it does not follow what the newest `retention` event says");
    }
  }

  void note_taken() {
    if (base_.segment != 0) {
      report_.taken = TakenByRetention{
          base_.segment, base_.record, base_.own_event,
          integer("SELECT at FROM event WHERE id = " + std::to_string(base_.own_event))};
    }
  }

  // Those that were there at the beginning: an agent that writes on adds more.
  void check_segments(const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
    const std::uint64_t total = std::exchange(report_.segments, 0);
    while (!segments_ended_) {
      // Stands for all that fails but what is in one segment, and ends the loop then.
      segments_ended_ = true;
      in_snapshot("segments", [this] { check_next_segment(); });
      if (progress && !segments_ended_) {
        progress(report_.segments, std::max(total, report_.segments));
      }
    }
  }

  void check_next_segment() {
    // Those between were taken away, whole, while others were looked at.
    if (base_.own_event != followed_base_ && base_.segment > last_segment_) {
      follow_base();
    }
    Statement select(connection_,
                     "SELECT id, first_record, opened_at, last_record, last_label, last_event, "
                     "stream_bytes, closed_at, digest, chain, request_keys FROM segment WHERE id "
                     ">= ?1 AND id <= ?2 ORDER BY id");
    if (!select.bind(1, next_segment_).bind(2, last_to_check_.value_or(kLast)).step()) {
      if (last_segment_ < last_to_check_.value_or(last_segment_)) {
        problem("segments", "number " + std::to_string(*last_to_check_) +
                                " was there at first, and is missing now");
      }
      return;
    }
    SegmentRow row;
    require_order(select.integer(0), next_segment_);
    row.span.id = select.integer(0);
    row.span.first_record = select.integer(1);
    row.span.opened_at = select.integer(2);
    row.span.last_record = select.integer(3);
    row.span.last_label = select.integer(4);
    row.span.last_event = select.integer(5);
    row.span.stream_bytes = select.integer(6);
    row.span.closed_at = select.integer(7);
    row.closed = !select.is_null(7);
    row.digest = from_bytes(select.bytes(8));
    row.chain = from_bytes(select.bytes(9));
    const std::string where = "segment " + std::to_string(row.span.id);
    guarded(where, [&] {
      if (row.closed && select.bytes(10) != request_keys(connection_, row.span.first_record,
                                                         row.span.last_record)) {
        problem(where, "its list of request ids does not match its records");
      }
    });
    guarded(where, [&] { check_segment(where, row); });
    ++report_.segments;
    segments_ended_ = row.span.id == kLast;
    next_segment_ = segments_ended_ ? kLast : row.span.id + 1;
  }

  void check_segment(const std::string& where, SegmentRow& row) {
    if (row.span.id != last_segment_ + 1) {
      problem(where,
              "segments before it are missing: the last was " + std::to_string(last_segment_));
    }
    if (row.span.first_record != last_record_ + 1) {
      problem(where, "it begins with record " + std::to_string(row.span.first_record) +
                         ", but the one before ends with " + std::to_string(last_record_));
    }
    last_segment_ = row.span.id;
    if (row.closed) {
      ++report_.closed_segments;
      check_chain(where, row);
      last_record_ = row.span.last_record;
    } else {
      row.span.last_record = integer("SELECT coalesce(max(id), 0) FROM record");
      last_record_ = std::max(row.span.last_record, row.span.first_record - 1);
    }
    report_.records += static_cast<std::uint64_t>(integer(
        "SELECT count(*) FROM record WHERE id BETWEEN " + std::to_string(row.span.first_record) +
        " AND " + std::to_string(row.span.last_record)));
    check_bodies(row.span);
  }

  void check_chain(const std::string& where, SegmentRow& row) {
    row.span.after_label = last_label_;
    row.span.after_event = last_event_;
    last_label_ = row.span.last_label;
    last_event_ = row.span.last_event;
    const Sha256 before = chain_;
    // What follows is judged by what this row claims, so that one change is one finding.
    chain_ = row.chain.value_or(Sha256{});
    report_.chain_head = row.chain ? hex(*row.chain) : "";
    report_.chain_segment = row.chain ? row.span.id : 0;
    if (!row.digest || !row.chain) {
      problem(where, "it is closed, but has no digest");
      return;
    }
    if (chain_next(before, row.span.id, *row.digest) != *row.chain) {
      problem(where, "it does not continue the chain of the segment before it");
    }
    guarded(where, [&] { check_digest(where, row); });
  }

  void check_digest(const std::string& where, const SegmentRow& row) {
    const bool erased = history_ && history_->segments().count(row.span.id) != 0;
    const Sha256 expected = history_ ? history_->expected(row.span.id, *row.digest) : *row.digest;
    if (segment_digest(connection_, row.span) != expected) {
      problem(where, std::string("its stream, records, labels or events were changed after ") +
                         (erased ? "records of it were erased" : "it was closed"));
    }
    if (!erased) {
      return;
    }
    if (std::string wrong = history_->problem(row.span.id, *row.digest, row.span.last_event);
        !wrong.empty()) {
      problem(where, std::move(wrong));
    }
  }

  void check_bodies(const SegmentSpan& span) {
    for (std::int64_t id = span.first_record; id <= span.last_record; ++id) {
      const std::string where = "record " + std::to_string(id);
      guarded(where, [&] {
        const auto stored = reader_.find(id, Bodies::both);
        if (!stored) {
          problem(where, "it is missing from segment " + std::to_string(span.id));
          return;
        }
        report_.body_bytes +=
            static_cast<std::uint64_t>(stored->request_bytes + stored->response_bytes);
      });
      if (report_.problems.size() >= kMostProblems) {
        return;
      }
    }
  }

  void check_leftovers() {
    // The open segment goes to the end.
    const std::int64_t stray = integer(
        "SELECT count(*) FROM record WHERE id <= " + std::to_string(base_.record) +
        " OR id < (SELECT min(first_record) FROM segment) OR id > coalesce((SELECT CASE WHEN "
        "closed_at IS NULL THEN " +
        std::to_string(kLast) + " ELSE last_record END FROM segment ORDER BY id DESC LIMIT 1), 0)");
    if (stray != 0) {
      problem("records", std::to_string(stray) + " belong to no segment");
    }
    // Numbers begin with 1, and so do the digests.
    const std::int64_t below = integer(
        "SELECT (SELECT count(*) FROM event WHERE id < 1) + (SELECT count(*) FROM label WHERE id < "
        "1)");
    if (below != 0) {
      problem("events", std::to_string(below) + " rows of `event` or `label` are in no digest");
    }
    check_chunks();
  }

  // Those of segments that retention has taken go in steps behind them.
  void check_chunks() {
    Statement next(connection_, "SELECT id >> 24 FROM chunk WHERE id >= ?1 ORDER BY id LIMIT 1");
    Statement known(connection_, "SELECT 1 FROM segment WHERE id = ?1");
    Statement count(connection_, "SELECT count(*) FROM chunk WHERE id BETWEEN ?1 AND ?2");
    constexpr std::int64_t kLastSegment = kLast >> 24;
    std::int64_t chunks = 0;
    for (std::int64_t segment = base_.segment + 1;
         segment <= kLastSegment && next.bind(1, chunk_id(segment, 0)).step(); ++segment) {
      require_order(next.integer(0), segment);
      segment = next.integer(0);
      if (!known.bind(1, segment).step()) {
        count.bind(1, chunk_id(segment, 0)).bind(2, chunk_id(segment, 0xffffff)).step();
        chunks += count.integer(0);
      }
      next.reset();
      known.reset();
      count.reset();
    }
    if (chunks != 0) {
      problem("chunks", std::to_string(chunks) + " belong to no segment");
    }
  }

  // 0: none ever was.
  std::int64_t last_closed() {
    return std::max(base_.segment,
                    integer("SELECT max(id) FROM segment WHERE closed_at IS NOT NULL"));
  }

  // Bodies are missing where an event says so, and nowhere else.
  void check_erasures() {
    if (!history_) {
      return;
    }
    for (const std::int64_t event : history_->unreadable()) {
      problem("event " + std::to_string(event), "it tells of an erasure, but not of which");
    }
    const std::int64_t last = last_closed();
    for (const auto& [segment, erasures] : history_->segments()) {
      if (segment > last) {
        problem("event " + std::to_string(erasures.back().event),
                "it tells of an erasure from segment " + std::to_string(segment) +
                    ", which the store does not have");
      }
    }
    const std::string flag = " AND flags & " + std::to_string(kErasedFlag) + " <> 0";
    report_.erased =
        static_cast<std::uint64_t>(integer("SELECT count(*) FROM record WHERE id >= (SELECT "
                                           "min(first_record) FROM segment)" +
                                           flag));
    Statement counts(connection_,
                     "SELECT id, (SELECT count(*) FROM record WHERE record.id BETWEEN first_record "
                     "AND coalesce(last_record, 1 << 62)" +
                         flag + ") FROM segment ORDER BY id");
    while (counts.step()) {
      const std::int64_t segment = counts.integer(0), flagged = counts.integer(1);
      if (flagged != history_->records(segment)) {
        problem("segment " + std::to_string(segment),
                std::to_string(flagged) +
                    " of its records are marked as erased, and events tell of " +
                    std::to_string(history_->records(segment)));
      }
    }
  }

  // What left the host shows a chain that was cut off or written anew as a whole.
  void check_heads() {
    for (const KnownHead& head : heads_) {
      const std::string where = "head of segment " + std::to_string(head.segment);
      if (head.segment < base_.segment) {
        note_taken_head(where, head);
        continue;
      }
      Statement select(connection_,
                       "SELECT chain FROM segment WHERE id = ?1 AND closed_at IS NOT "
                       "NULL");
      const bool is_base = head.segment == base_.segment && base_.segment != 0;
      if (!is_base && !select.bind(1, head.segment).step()) {
        problem(where, "the store ends before it, with segment " + std::to_string(last_closed()) +
                           ", but " + head.source +
                           " has it: the store was rolled back to an older state");
        continue;
      }
      const auto chain = is_base ? std::optional(base_.chain) : from_bytes(select.bytes(0));
      if (chain != head.chain) {
        problem(where, "the store's chain is another there than " + head.source +
                           " has: the store was rolled back and went on, or was written anew");
        continue;
      }
      ++report_.heads;
    }
  }

  void note_taken_head(const std::string& where, const KnownHead& head) {
    const std::string what =
        "retention has taken the segment, so that " + head.source + " cannot be compared";
    if (head.taken == KnownHead::Taken::problem) {
      problem(where, what + "; give a newer head");
    } else if (head.taken == KnownHead::Taken::note) {
      report_.notes.push_back({where, what + "; the next delivery leaves a newer head"});
    }
  }

  // What was delivered was once there.
  void check_delivery() {
    if (!has_delivery_tables(connection_)) {
      return;
    }
    Statement select(connection_,
                     "SELECT destination, max(cursor, planned_last) FROM delivery WHERE "
                     "max(cursor, planned_last) > ?1");
    const std::int64_t newest = std::max(integer("SELECT max(id) FROM record"), base_.record);
    select.bind(1, newest);
    while (select.step()) {
      problem("delivery to " + std::string(select.bytes(0)),
              "record " + std::to_string(select.integer(1)) +
                  " was delivered, but the newest one here is " + std::to_string(newest) +
                  ": records at the end are missing");
    }
  }

  Reader& reader_;
  sqlite3* connection_;
  const std::vector<KnownHead>& heads_;
  VerifyReport report_;
  // What the newest snapshot says.
  std::optional<std::int64_t> newest_event_;
  bool events_unreadable_ = false;
  bool tables_are_ours_ =
      true;  // else rows say nothing that could be judged, and loops may not end
  RetentionBase base_;
  std::optional<ErasureHistory> history_;
  // The `retention` events, by id, that say what was followed, and checked.
  std::int64_t followed_base_ = 0, checked_base_ = 0;
  // What the next segment is to follow.
  Sha256 chain_{};
  std::int64_t last_segment_ = 0, last_record_ = 0, last_label_ = 0, last_event_ = 0;
  std::int64_t next_segment_ = std::numeric_limits<std::int64_t>::min();  // to look at
  std::optional<std::int64_t> last_to_check_;
  bool segments_ended_ = false;
};

}  // namespace

VerifyReport verify_store(const std::string& path,
                          const std::function<void(std::uint64_t, std::uint64_t)>& progress,
                          const std::vector<KnownHead>& heads) {
  auto reader = Reader::open(path);
  if (!reader) {
    throw StoreError(reader.error());
  }
  VerifyReport report = Verification(**reader, heads).run(progress);
  check_unwritten((*reader)->connection());
  return report;
}

}  // namespace invlog::storage
