#include "storage/retention_base.h"

#include "storage/json_writer.h"
#include "storage/statement.h"

namespace invlog::storage {
namespace {

Sha256 first_chain_value(sqlite3* connection) {
  Statement store(connection, "SELECT region, created_at FROM store");
  store.step();
  return chain_start(std::string(store.bytes(0)), std::string(store.bytes(1)));
}

// Takes what stands in `row` (see the SELECT below); false if it is no base.
bool take(const Statement& row, RetentionBase& base) {
  base.own_event = row.integer(0);
  base.segment = row.integer(1);
  base.record = row.integer(2);
  base.label = row.integer(3);
  base.event = row.integer(4);
  const auto chain = from_hex(row.bytes(5));
  const auto labels = from_hex(row.bytes(6));
  const auto events = from_hex(row.bytes(7));
  base.passing_after = row.optional_integer(8).value_or(base.event);
  if (!chain || !labels || !events || base.segment <= 0 || base.record < 0 || base.label < 0 ||
      base.event < 0 || base.passing_after < 0 || base.passing_after > base.event) {
    return false;
  }
  base.chain = *chain;
  base.labels = *labels;
  base.events = *events;
  return true;
}

}  // namespace

bool is_passing_event(std::string_view kind) {
  return std::string_view(kPassingEvents).find("'" + std::string(kind) + "'") !=
         std::string_view::npos;
}

RetentionBase read_retention_base(sqlite3* connection) {
  RetentionBase base;
  base.chain = first_chain_value(connection);
  Statement newest(connection,
                   "SELECT id, details ->> '$.base.segment', details ->> '$.base.record', "
                   "details ->> '$.base.label', details ->> '$.base.event', "
                   "details ->> '$.base.chain', details ->> '$.base.labels', "
                   "details ->> '$.base.events', details ->> '$.base.passing_after' FROM (SELECT "
                   "id, CASE WHEN json_valid(details) "
                   "THEN details ELSE '{}' END AS details FROM event WHERE kind = 'retention' "
                   "ORDER BY id DESC LIMIT 1)");
  if (!newest.step()) {
    return base;
  }
  RetentionBase found;
  if (!take(newest, found)) {
    base.readable = false;
    return base;
  }
  Statement undelivered(connection,
                        "SELECT key, value FROM event, json_each(details, '$.base.undelivered') "
                        "WHERE event.id = ?1 AND value > 0");
  undelivered.bind(1, newest.integer(0));
  while (undelivered.step()) {
    found.undelivered.emplace(undelivered.bytes(0), undelivered.integer(1));
  }
  return found;
}

std::string retention_base_json(const RetentionBase& base) {
  std::string undelivered = "{";
  for (const auto& [destination, records] : base.undelivered) {
    append_json_number(undelivered, destination, records);
  }
  std::string json = "{";
  append_json_number(json, "segment", base.segment);
  append_json_number(json, "record", base.record);
  append_json_number(json, "label", base.label);
  append_json_number(json, "event", base.event);
  append_json_member(json, "chain", hex(base.chain));
  append_json_member(json, "labels", hex(base.labels));
  append_json_member(json, "events", hex(base.events));
  append_json_number(json, "passing_after", base.passing_after);
  append_json_raw(json, "undelivered", undelivered + "}");
  return json + "}";
}

Sha256 kept_labels_digest(sqlite3* connection, const RetentionBase& base, std::int64_t last) {
  Statement rows(connection, "SELECT * FROM label WHERE id > ?1 AND id <= ?2 ORDER BY id");
  rows.bind(1, base.label).bind(2, last);
  return rows_digest(rows, base.labels);
}

// Without those that go: of retention itself the newest stands for all before it.
Sha256 kept_events_digest(sqlite3* connection, const RetentionBase& base, std::int64_t last) {
  Statement rows(connection,
                 std::string("SELECT * FROM event WHERE id > ?1 AND id <= ?2 AND kind <> "
                             "'retention' AND (id <= ?3 OR kind NOT IN ") +
                     kPassingEvents + ") ORDER BY id");
  rows.bind(1, base.event).bind(2, last).bind(3, base.passing_after);
  return rows_digest(rows, base.events);
}

}  // namespace invlog::storage
