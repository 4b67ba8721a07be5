#include "storage/trail_ledger.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "storage/retention_base.h"
#include "storage/schema.h"
#include "storage/side_connection.h"
#include "storage/statement.h"
#include "storage/store_error.h"
#include "storage/store_file.h"
#include "storage/time_text.h"
#include "storage/uuid.h"
#include "storage/write_transaction.h"

namespace invlog::storage {
namespace {

constexpr std::int64_t kReadPortion = 10'000;
constexpr std::size_t kWritePortion = 4'000;
constexpr std::size_t kMostLabels = 10'000;  // kept in memory

constexpr const char* kSelectRecords =
    "SELECT record.id, started_at, request_id, status, operation, model, outcome, scope, "
    "destinations, trail.region, trail.outside FROM record LEFT JOIN trail ON trail.record = "
    "record.id WHERE record.id >= ?1 AND record.id < ?2 ORDER BY record.id";

}  // namespace

class TrailLedger::Implementation {
 public:
  Implementation(Connection connection, std::string path, std::function<std::int64_t()> clock,
                 std::uint64_t max_size_bytes)
      : connection_(std::move(connection)),
        path_(std::move(path)),
        clock_(std::move(clock)),
        label_(connection_.get(), "SELECT text FROM label WHERE id = ?1"),
        is_unseen_(connection_.get(), "SELECT 1 FROM unseen_call WHERE event_id = ?1") {
    limits_.max_size_bytes = max_size_bytes;
    if (limits_.capped()) {
      // As the writer's own.
      execute(connection_.get(),
              "PRAGMA wal_autocheckpoint = " + std::to_string(limits_.scattered_rows()));
      execute(connection_.get(),
              "PRAGMA journal_size_limit = " + std::to_string(limits_.log_bytes()));
    }
  }

  std::int64_t known_from_us() {
    // A record that is older than the store's birth tells that a clock was set.
    constexpr const char* kBirth =
        "SELECT min(unixepoch(created_at), coalesce((SELECT started_at / 1000000 FROM record ORDER "
        "BY id LIMIT 1), unixepoch(created_at))) FROM store";
    constexpr const char* kOldestSegment = "SELECT min(opened_at) / 1000000 FROM segment";
    const RetentionBase gone = read_retention_base(connection_.get());
    if (gone.segment == 0) {
      return single_integer(connection_.get(), kBirth) * 1'000'000;
    }
    // What began before the first remaining segment may have been in one that went.
    Statement oldest(connection_.get(), kOldestSegment);
    const bool any = oldest.step() && !oldest.is_null(0);
    return any ? oldest.integer(0) * 1'000'000 : clock_();
  }

  void each_record(std::int64_t since, std::int64_t until,
                   const std::function<bool(const ComparedRecord&)>& visit) {
    std::int64_t first = 0, end = 0;
    find_range(since - kSlackUs, until + kSlackUs, first, end);
    Statement select(connection_.get(), kSelectRecords);
    for (bool more = true; more && first < end; first += kReadPortion) {
      select.bind(1, first).bind(2, std::min(end, first + kReadPortion));
      while (more && select.step()) {
        more = visit(compared(select));
      }
      select.reset();
    }
  }

  void each_unseen(const std::function<void(std::string_view, std::string_view)>& visit) {
    Statement select(connection_.get(), "SELECT event_id, request_id FROM unseen_call");
    while (select.step()) {
      visit(select.bytes(0), select.bytes(1));
    }
  }

  // The index has rows by time, so one pass over both tells how many of a span are left.
  std::vector<TimeSpan> delisted(const std::string& source) {
    Statement rows(connection_.get(), "SELECT at FROM unseen_call ORDER BY at");
    bool left = rows.step();
    const std::int64_t oldest = left ? rows.integer(0) : std::numeric_limits<std::int64_t>::max();
    Statement spans(connection_.get(),
                    "SELECT since, until, unseen FROM reconciliation WHERE source = ?1 AND unseen "
                    "> 0 AND since <= ?2 ORDER BY until");
    spans.bind_text(1, source).bind(2, oldest);
    std::vector<TimeSpan> delisted;
    std::int64_t listed = 0;
    while (spans.step()) {
      for (; left && rows.integer(0) <= spans.integer(1); left = rows.step()) {
        ++listed;
      }
      if (listed < spans.integer(2)) {
        delisted.push_back({spans.integer(0), std::min(spans.integer(1), oldest)});
      }
    }
    return delisted;
  }

  bool is_unseen(std::string_view event_id) {
    const bool found = is_unseen_.bind_text(1, event_id).step();
    is_unseen_.reset();
    return found;
  }

  const RetentionOptions& limits() const { return limits_; }

  std::int64_t unseen_rows() {
    return single_integer(connection_.get(), "SELECT count(*) FROM unseen_call");
  }

  bool has_room(std::int64_t unseen_rows) {
    if (!limits_.capped()) {
      return true;
    }
    const auto pages = [this](const char* pragma) {
      return static_cast<std::uint64_t>(single_integer(connection_.get(), pragma)) *
             RetentionOptions::kPageBytes;
    };
    const std::uint64_t length = pages("PRAGMA page_count"), free = pages("PRAGMA freelist_count");
    const std::uint64_t bytes =
        static_cast<std::uint64_t>(unseen_rows) * RetentionOptions::kUnseenRowBytes;
    std::error_code none;
    const auto log = std::filesystem::file_size(path_ + "-wal", none);
    // They go through the log first, a portion at a time, few of them by whole pages.
    const std::uint64_t through_log =
        std::max(std::min(bytes, kWritePortion * RetentionOptions::kUnseenRowBytes),
                 std::min(static_cast<std::uint64_t>(unseen_rows) * RetentionOptions::kPageBytes,
                          limits_.log_bytes()));
    // The log may cost the writer as much more.
    return length + (bytes > free ? bytes - free : 0) + (none ? 0 : log) + through_log <=
           limits_.max_size_bytes + limits_.max_size_bytes / 32;
  }

  std::int64_t take_unseen(std::int64_t before_us, std::int64_t most) {
    Statement take(connection_.get(),
                   "DELETE FROM unseen_call WHERE event_id IN (SELECT event_id FROM unseen_call "
                   "WHERE at < ?1 ORDER BY at LIMIT ?2)");
    std::int64_t taken = 0;
    while (taken < most) {
      take.bind(1, before_us).bind(2, std::min(most - taken, limits_.scattered_rows())).run();
      const int rows = sqlite3_changes(connection_.get());
      if (rows == 0) {
        break;
      }
      taken += rows;
    }
    return taken;
  }

  void apply(const Changes& changes) {
    Statement trail(connection_.get(),
                    "INSERT INTO trail(record, region, at, event_id, outside) SELECT ?1, ?2, ?3, "
                    "?4, ?5 WHERE EXISTS (SELECT 1 FROM record WHERE id = ?1) ON CONFLICT(record) "
                    "DO UPDATE SET region = ?2, at = ?3, event_id = ?4, outside = ?5");
    Statement unseen(connection_.get(),
                     "INSERT OR IGNORE INTO unseen_call(event_id, at, request_id, operation, "
                     "model, principal, source_address, inference_region, error) VALUES (?1, ?2, "
                     "?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    // Else the spans that counted it would seem to have lost a row to retention.
    Statement turned_up(connection_.get(),
                        "UPDATE reconciliation SET unseen = unseen - 1, matched = matched + 1 "
                        "WHERE unseen > 0 AND (SELECT at FROM unseen_call WHERE event_id = ?1) "
                        "BETWEEN since AND until");
    Statement seen(connection_.get(), "DELETE FROM unseen_call WHERE event_id = ?1");
    const std::size_t total =
        changes.trail.size() + changes.unseen.size() + changes.seen_after_all.size();
    std::size_t done = 0;
    if (total == 0 && changes.events.empty()) {
      return;
    }
    do {
      WriteTransaction transaction(connection_.get());
      if (done == 0) {
        add_events(changes.events);
      }
      for (const std::size_t end = std::min(total, done + kWritePortion); done < end; ++done) {
        apply_one(changes, done, trail, unseen, turned_up, seen);
      }
      transaction.commit();
    } while (done < total);
  }

  void put_reconciliation(const ReconciliationRow& row) {
    WriteTransaction transaction(connection_.get());
    Statement find(connection_.get(),
                   "SELECT id FROM reconciliation WHERE source = ?1 AND since = ?2 AND until = ?3");
    find.bind_text(1, row.source).bind(2, row.since_us).bind(3, row.until_us);
    const std::optional<std::int64_t> known =
        find.step() ? std::optional(find.integer(0)) : std::nullopt;
    find.reset();
    Statement put(connection_.get(),
                  "INSERT OR REPLACE INTO reconciliation(id, at, source, since, until, events, "
                  "matched, unseen, missing, outside) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, "
                  "?10)");
    put.bind(1, known).bind(2, clock_()).bind_text(3, row.source);
    put.bind(4, row.since_us).bind(5, row.until_us).bind(6, row.events).bind(7, row.matched);
    put.bind(8, row.unseen).bind(9, row.missing).bind(10, row.outside).run();
    transaction.commit();
  }

 private:
  // The records from the first to the last segment that has any of [since, until], `end` is behind
  // them. Not by single records: they are not in the order of their beginnings, and one whose clock
  // was wrong says nothing of those around it. Segments are, and few; a wrong clock can only widen
  // the time that one stands for.
  void find_range(std::int64_t since, std::int64_t until, std::int64_t& first, std::int64_t& end) {
    constexpr const char* kSegments =
        "SELECT first_record, coalesce(last_record, (SELECT max(id) FROM record)), opened_at, "
        "closed_at, (SELECT started_at FROM record WHERE id = first_record), (SELECT started_at "
        "FROM record WHERE id = last_record) FROM segment ORDER BY id";
    constexpr std::int64_t kEver = std::numeric_limits<std::int64_t>::max();
    Statement segments(connection_.get(), kSegments);
    while (segments.step()) {
      const std::int64_t opened = segments.integer(2);
      const std::int64_t closed = segments.optional_integer(3).value_or(kEver);
      const std::int64_t oldest = segments.optional_integer(4).value_or(opened);
      const std::int64_t newest = segments.optional_integer(5).value_or(oldest);
      const auto [from, to] = std::minmax({opened, closed, oldest, newest});
      if (to < since || from - kSlackUs > until) {
        continue;
      }
      first = end == 0 ? segments.integer(0) : first;
      end = segments.integer(1) + 1;
    }
  }

  ComparedRecord compared(const Statement& select) {
    if (labels_.size() > kMostLabels) {
      labels_.clear();
    }
    ComparedRecord record;
    record.id = select.integer(0);
    record.started_at_us = select.integer(1);
    record.request_id = select.bytes(2);
    record.request_id_is_uuid = select.is_blob(2) && record.request_id.size() == 16;
    record.status = static_cast<int>(select.integer(3));
    int column = 4;
    for (std::string_view* text :
         {&record.operation, &record.model, &record.outcome, &record.scope, &record.destinations}) {
      *text = label(select.optional_integer(column++));
    }
    record.in_trail = !select.is_null(9);
    record.trail_region = select.bytes(9);
    record.trail_outside = select.integer(10) != 0;
    return record;
  }

  std::string_view label(std::optional<std::int64_t> id) {
    if (!id) {
      return {};
    }
    const auto [place, inserted] = labels_.try_emplace(*id);
    if (inserted) {
      if (label_.bind(1, *id).step()) {
        place->second = label_.bytes(0);
      }
      label_.reset();
    }
    return place->second;
  }

  void add_events(const std::vector<LedgerEvent>& events) {
    Statement insert(connection_.get(),
                     "INSERT INTO event(at, kind, count, details) VALUES (?1, ?2, ?3, ?4)");
    for (const LedgerEvent& event : events) {
      insert.bind(1, clock_()).bind_text(2, event.kind).bind(3, event.count);
      insert.bind_text(4, event.details).run();
    }
  }

  static void apply_one(const Changes& changes, std::size_t number, Statement& trail,
                        Statement& unseen, Statement& turned_up, Statement& seen) {
    if (number < changes.trail.size()) {
      const TrailRow& row = changes.trail[number];
      const auto uuid = uuid_bytes(row.event_id);
      trail.bind(1, row.record).bind_text(2, row.region).bind(3, row.at_us);
      uuid ? trail.bind_blob(4, *uuid) : trail.bind_text(4, row.event_id);
      trail.bind(5, std::int64_t{row.outside ? 1 : 0}).run();
      return;
    }
    number -= changes.trail.size();
    if (number < changes.unseen.size()) {
      const UnseenCall& call = changes.unseen[number];
      unseen.bind_text(1, call.event_id).bind(2, call.at_us);
      int parameter = 3;
      for (const std::string* text :
           {&call.request_id, &call.operation, &call.model, &call.principal, &call.source_address,
            &call.inference_region, &call.error}) {
        unseen.bind_text(parameter++, *text);
      }
      unseen.run();
      return;
    }
    const std::string& event_id = changes.seen_after_all[number - changes.unseen.size()];
    turned_up.bind_text(1, event_id).run();
    seen.bind_text(1, event_id).run();
  }

  const Connection connection_;
  const std::string path_;
  const std::function<std::int64_t()> clock_;
  RetentionOptions limits_;  // max_size only
  Statement label_, is_unseen_;
  std::unordered_map<std::int64_t, std::string> labels_;
};

tl::expected<std::unique_ptr<TrailLedger>, std::string> TrailLedger::open(
    const std::string& store_path, const std::string& vfs, std::function<std::int64_t()> clock,
    std::uint64_t max_size_bytes) {
  auto connection = connect_beside_writer(store_path, vfs, "what CloudTrail says is kept there");
  if (!connection) {
    return tl::unexpected(std::move(connection.error()));
  }
  try {
    // A million rows are looked for in one go.
    execute(connection->get(), "PRAGMA cache_size = -8192");
    ensure_residency_tables(connection->get());
    if (!clock) {
      clock = system_now_us;
    }
    return std::unique_ptr<TrailLedger>(new TrailLedger(
        std::make_unique<Implementation>(std::move(*connection), resolved_store_path(store_path),
                                         std::move(clock), max_size_bytes)));
  } catch (const StoreError& error) {
    return tl::unexpected("store " + store_path + ": " + error.what());
  }
}

TrailLedger::TrailLedger(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
TrailLedger::~TrailLedger() = default;

std::int64_t TrailLedger::known_from_us() {
  return implementation_->known_from_us();
}
void TrailLedger::each_record(std::int64_t since_us, std::int64_t until_us,
                              const std::function<bool(const ComparedRecord&)>& visit) {
  implementation_->each_record(since_us, until_us, visit);
}
void TrailLedger::each_unseen(
    const std::function<void(std::string_view, std::string_view)>& visit) {
  implementation_->each_unseen(visit);
}
std::vector<TimeSpan> TrailLedger::delisted(const std::string& source) {
  return implementation_->delisted(source);
}
bool TrailLedger::is_unseen(std::string_view event_id) {
  return implementation_->is_unseen(event_id);
}
const RetentionOptions& TrailLedger::limits() const {
  return implementation_->limits();
}
std::int64_t TrailLedger::unseen_rows() {
  return implementation_->unseen_rows();
}
bool TrailLedger::has_room(std::int64_t unseen_rows) {
  return implementation_->has_room(unseen_rows);
}
std::int64_t TrailLedger::take_unseen(std::int64_t before_us, std::int64_t most) {
  return implementation_->take_unseen(before_us, most);
}
void TrailLedger::apply(const Changes& changes) {
  implementation_->apply(changes);
}
void TrailLedger::put_reconciliation(const ReconciliationRow& row) {
  implementation_->put_reconciliation(row);
}

}  // namespace invlog::storage
