#include "agent/residency/report_data.h"

#include <algorithm>
#include <limits>

#include "agent/residency/record_totals.h"
#include "agent/residency/report_losses.h"
#include "agent/residency/trail_event.h"
#include "storage/read_transaction.h"
#include "storage/retention_base.h"
#include "storage/schema.h"
#include "storage/statement.h"
#include "storage/store_file.h"

namespace invlog::residency {
namespace {

// Events that somebody has to look at, one by one.
constexpr const char* kAlarms =
    "('profile-changed', 'processed-outside', 'calls-unseen', 'account-mismatch', "
    "'delivery-refused', 'dropped', 'build-failed', 'intent-damaged', 'bodies-lost', 'copy-left')";

std::string hexadecimal(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char character : bytes) {
    const auto byte = static_cast<unsigned char>(character);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

void read_reconciliations(sqlite3* connection, const Period& period, Coverage& coverage) {
  storage::Statement select(
      connection,
      "SELECT at, source, since, until, events, matched, unseen, missing, outside "
      "FROM reconciliation WHERE since < ?2 AND until > ?1 ORDER BY since, until, id");
  select.bind(1, period.from_us).bind(2, period.until_us);
  while (select.step()) {
    coverage.reconciliations.push_back({select.integer(0),
                                        std::string(select.bytes(1)),
                                        {select.integer(2), select.integer(3)},
                                        select.integer(4),
                                        select.integer(5),
                                        select.integer(6),
                                        select.integer(7),
                                        select.integer(8),
                                        0});
  }
}

void read_unseen_calls(sqlite3* connection, const Period& period, Coverage& coverage) {
  storage::Statement select(
      connection,
      "SELECT principal, source_address, model, count(*), min(at), max(at) FROM unseen_call "
      "WHERE at >= ?1 AND at < ?2 GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3");
  select.bind(1, period.from_us).bind(2, period.until_us);
  while (select.step()) {
    coverage.unseen.push_back({std::string(select.bytes(0)), std::string(select.bytes(1)),
                               std::string(select.bytes(2)), select.integer(3), select.integer(4),
                               select.integer(5)});
    coverage.unseen_calls += select.integer(3);
  }
}

Coverage read_coverage(sqlite3* connection, const Period& period, const TakenByRetention& taken) {
  Coverage coverage;
  if (storage::has_trail(connection)) {
    read_reconciliations(connection, period, coverage);
    read_unseen_calls(connection, period, coverage);
    read_gone_unseen(connection, period, taken, coverage);
  }
  std::vector<Period> spans;
  for (const ReconciliationRow& row : coverage.reconciliations) {
    spans.push_back(row.span);
  }
  constexpr std::int64_t kEver = std::numeric_limits<std::int64_t>::max();
  coverage.settled = merged_spans(spans, {0, kEver});
  for (Period& span : coverage.settled) {
    span.until_us = std::max(span.from_us, span.until_us - kEventDelayUs);
  }
  coverage.covered = merged_spans(std::move(spans), period);
  coverage.gaps = gaps_between(coverage.covered, period);
  return coverage;
}

std::vector<EventKind> read_event_kinds(sqlite3* connection, const Period& period,
                                        const TakenByRetention& taken) {
  storage::Statement select(connection,
                            "SELECT kind, count(*), coalesce(sum(count), 0), min(at), max(at) FROM "
                            "event WHERE at >= ?1 AND at < ?2 GROUP BY kind ORDER BY kind");
  select.bind(1, period.from_us).bind(2, period.until_us);
  std::vector<EventKind> kinds;
  while (select.step()) {
    kinds.push_back({std::string(select.bytes(0)), select.integer(1), select.integer(2),
                     select.integer(3), select.integer(4)});
    if (kinds.back().kind == "retention" && taken.untold_in_period) {
      kinds.back().records += taken.untold;
    }
  }
  return kinds;
}

// `details`: an SQL expression.
std::vector<EventRow> read_events(sqlite3* connection, const Period& period,
                                  const std::string& kinds, const std::string& details) {
  storage::Statement select(connection, "SELECT at, kind, count, " + details +
                                            " FROM event WHERE kind IN " + kinds +
                                            " AND at >= ?1 AND at < ?2 ORDER BY at, id");
  select.bind(1, period.from_us).bind(2, period.until_us);
  std::vector<EventRow> events;
  while (select.step()) {
    events.push_back({select.integer(0), std::string(select.bytes(1)), select.optional_integer(2),
                      std::string(select.bytes(3))});
  }
  return events;
}

IntegrityFacts read_integrity(sqlite3* connection) {
  IntegrityFacts facts;
  facts.segments = storage::single_integer(connection, "SELECT count(*) FROM segment");
  // Not the rows: retention takes some of them. Their ids are never used again.
  facts.events = storage::single_integer(connection, "SELECT max(id) FROM event");
  facts.closed_segments = storage::single_integer(
      connection, "SELECT count(*) FROM segment WHERE closed_at IS NOT NULL");
  std::int64_t last_covered = storage::read_retention_base(connection).record;
  storage::Statement select(connection,
                            "SELECT id, closed_at, chain, last_record FROM segment "
                            "WHERE closed_at IS NOT NULL ORDER BY id DESC LIMIT 1");
  if (select.step()) {
    facts.last_segment = select.integer(0);
    facts.last_closed_us = select.integer(1);
    facts.chain_head = hexadecimal(select.bytes(2));
    last_covered = select.integer(3);
  }
  storage::Statement behind(connection, "SELECT count(*) FROM record WHERE id > ?1");
  behind.bind(1, last_covered).step();
  facts.records_without_digest = behind.integer(0);
  return facts;
}

std::vector<DeliveryRow> read_deliveries(sqlite3* connection) {
  std::vector<DeliveryRow> rows;
  auto taken = storage::read_retention_base(connection).undelivered;
  if (const auto ledger = storage::DeliveryLedger::look(connection)) {
    for (const storage::DeliveryState& state : ledger->states()) {
      storage::Statement behind(connection, "SELECT count(*) FROM record WHERE id > ?1");
      behind.bind(1, state.cursor).step();
      rows.push_back({state, behind.integer(0), ledger->count_dead_letters(state.destination),
                      taken[state.destination],
                      storage::DeliveredRanges(connection, state.destination).by_target()});
      taken.erase(state.destination);
    }
  }
  // Configured, but never delivered to.
  for (const auto& [destination, records] : taken) {
    DeliveryRow row;
    row.state.destination = destination;
    row.waiting = storage::single_integer(connection, "SELECT count(*) FROM record");
    row.taken_undelivered = records;
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

void Volume::add(const Volume& other) {
  calls += other.calls;
  errors += other.errors;
  input += other.input;
  output += other.output;
  cache_read += other.cache_read;
  cache_write += other.cache_write;
}

const char* scope_name(std::size_t index) {
  constexpr const char* kNames[kScopes] = {"in-region", "geographic", "global", "unknown",
                                           "not sent"};
  return kNames[index];
}

std::size_t scope_index(const std::string& scope, bool not_sent) {
  if (not_sent) {
    return static_cast<std::size_t>(ScopeIndex::not_sent);
  }
  return static_cast<std::size_t>(scope == "in-region"    ? ScopeIndex::in_region
                                  : scope == "geographic" ? ScopeIndex::geographic
                                  : scope == "global"     ? ScopeIndex::global
                                                          : ScopeIndex::unknown);
}

std::int64_t Report::calls_with_decision(std::string_view decision) const {
  std::int64_t calls = 0;
  for (const DecisionRow& row : decisions) {
    calls += row.decision == decision ? row.calls : 0;
  }
  return calls;
}

std::vector<Period> merged_spans(std::vector<Period> spans, const Period& period) {
  std::sort(spans.begin(), spans.end(),
            [](const Period& left, const Period& right) { return left.from_us < right.from_us; });
  std::vector<Period> merged;
  for (Period span : spans) {
    span.from_us = std::max(span.from_us, period.from_us);
    span.until_us = std::min(span.until_us, period.until_us);
    if (span.from_us >= span.until_us) {
      continue;
    }
    if (!merged.empty() && span.from_us <= merged.back().until_us) {
      merged.back().until_us = std::max(merged.back().until_us, span.until_us);
    } else {
      merged.push_back(span);
    }
  }
  return merged;
}

std::vector<Period> gaps_between(const std::vector<Period>& merged, const Period& period) {
  std::vector<Period> gaps;
  std::int64_t at = period.from_us;
  for (const Period& span : merged) {
    if (span.from_us > at) {
      gaps.push_back({at, span.from_us});
    }
    at = span.until_us;
  }
  if (at < period.until_us) {
    gaps.push_back({at, period.until_us});
  }
  return gaps;
}

Report gather_report(storage::Reader& reader, const Period& period,
                     const ReportProgress& progress) {
  sqlite3* connection = reader.connection();
  const storage::ReadTransaction snapshot(connection);
  Report report;
  report.period = period;
  report.store = reader.information();
  report.host_changes = storage::host_changes(connection);
  report.records_in_store = storage::single_integer(connection, "SELECT count(*) FROM record");
  report.taken = read_taken(connection, period);
  report.coverage = read_coverage(connection, period, report.taken);
  add_up_records(connection, report, progress);
  report.event_kinds = read_event_kinds(connection, period, report.taken);
  report.alarms = read_events(connection, period, kAlarms, "details");
  report.removals = read_events(
      connection, period, "('retention', 'erased')",
      "CASE WHEN json_valid(details) THEN coalesce(details ->> '$.why', details ->> '$.reason') "
      "END");
  report.integrity = read_integrity(connection);
  report.deliveries = read_deliveries(connection);
  storage::check_unwritten(connection);
  return report;
}

}  // namespace invlog::residency
