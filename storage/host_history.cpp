#include "storage/host_history.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>

#include "storage/json_writer.h"
#include "storage/schema.h"
#include "storage/statement.h"
#include "storage/store_error.h"

namespace invlog::storage {
namespace {

// A record that is there has its host for good; those to come may get another.
std::int64_t last_settled_record(sqlite3* connection, std::int64_t record) {
  try {
    return std::max(record, single_integer(connection, "SELECT max(id) FROM main.record"));
  } catch (const StoreError& error) {
    if (error.sqlite_code() != SQLITE_CORRUPT) {
      throw;
    }
    return record;  // a damaged page of others is none of this one's
  }
}

// When the events of changes were written, by the first record; of two for one the later counts.
std::map<std::int64_t, std::int64_t> change_times(sqlite3* connection) {
  std::map<std::int64_t, std::int64_t> times;
  Statement events(connection,
                   "SELECT at, CASE WHEN json_valid(details) THEN details ->> '$.first_record' END "
                   "FROM main.event WHERE kind = ?1 ORDER BY id");
  events.bind_text(1, kHostChanged);
  while (events.step()) {
    times[events.integer(1)] = events.integer(0);
  }
  return times;
}

// Without its end.
HostSpan span_from(sqlite3* connection, std::int64_t record, bool has_changes) {
  HostSpan span;
  span.first = std::numeric_limits<std::int64_t>::min();
  if (has_changes) {
    Statement newest(
        connection,
        "SELECT first_record, host FROM main.host_change WHERE first_record <= ?1 ORDER BY "
        "first_record DESC LIMIT 1");
    if (newest.bind(1, record).step()) {
      span.first = newest.integer(0);
      span.host = newest.bytes(1);
      return span;
    }
  }
  span.host = first_host(connection);
  return span;
}

}  // namespace

std::string first_host(sqlite3* connection) {
  Statement birth(connection, "SELECT host FROM main.store");
  return std::string(birth.step() ? birth.bytes(0) : "");
}

HostSpan host_span(sqlite3* connection, std::int64_t record) {
  const bool has_changes = has_host_changes(connection);
  HostSpan span = span_from(connection, record, has_changes);
  std::optional<std::int64_t> next;
  if (has_changes) {
    Statement following(connection,
                        "SELECT min(first_record) FROM main.host_change WHERE first_record > ?1");
    next = following.bind(1, record).step() ? following.optional_integer(0) : std::nullopt;
  }
  span.last = next ? *next - 1 : last_settled_record(connection, record);
  return span;
}

std::string current_host(sqlite3* connection) {
  return span_from(connection, std::numeric_limits<std::int64_t>::max(),
                   has_host_changes(connection))
      .host;
}

std::vector<HostChange> host_changes(sqlite3* connection) {
  std::vector<HostChange> changes;
  if (!has_host_changes(connection)) {
    return changes;
  }
  const std::map<std::int64_t, std::int64_t> times = change_times(connection);
  std::string before = first_host(connection);
  Statement rows(connection, "SELECT first_record, host FROM main.host_change ORDER BY 1");
  while (rows.step()) {
    const auto time = times.find(rows.integer(0));
    changes.push_back({rows.integer(0), before, std::string(rows.bytes(1)),
                       time == times.end() ? 0 : time->second});
    before = changes.back().to;
  }
  return changes;
}

std::string host_change_details(const HostChange& change) {
  std::string details = "{";
  if (!change.from.empty()) {
    append_json_member(details, "from", change.from);
  }
  append_json_member(details, "to", change.to);
  append_json_number(details, "first_record", change.first_record);
  return details + "}";
}

// Another change from the same record on has taken back the one before: nothing was recorded in
// between.
void write_host_change(sqlite3* connection, const HostChange& change) {
  execute(connection, host_schema_sql());
  Statement(connection, "INSERT OR REPLACE INTO host_change(first_record, host) VALUES (?1, ?2)")
      .bind(1, change.first_record)
      .bind_text(2, change.to)
      .run();
}

}  // namespace invlog::storage
