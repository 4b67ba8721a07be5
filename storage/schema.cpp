#include "storage/schema.h"

#include <algorithm>

#include "storage/statement.h"
#include "storage/write_transaction.h"

namespace invlog::storage {
namespace {

constexpr const char* kSchema = R"sql(
-- Written once, one row: what the store is pinned to.
CREATE TABLE store(
  id            INTEGER PRIMARY KEY CHECK (id = 1),
  region        TEXT NOT NULL,          -- source Region
  account_id    TEXT,
  host          TEXT,
  created_at    TEXT NOT NULL,          -- ISO 8601, UTC
  agent_version TEXT                    -- that created it
) STRICT;

-- Strings that repeat. Rows are only ever added.
CREATE TABLE label(
  id   INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE
) STRICT;

-- One row per invocation. Columns that say "label" hold label.id. Unknown is NULL.
CREATE TABLE record(
  id                 INTEGER PRIMARY KEY,  -- consecutive
  started_at         INTEGER NOT NULL,     -- Unix time, microseconds
  model              INTEGER,              -- label
  input_tokens       INTEGER,
  output_tokens      INTEGER,
  cache_read_tokens  INTEGER,
  cache_write_tokens INTEGER,
  status             INTEGER,              -- HTTP, as given to the client
  outcome            INTEGER,              -- label
  error              INTEGER,              -- label
  operation          INTEGER,              -- label
  caller             INTEGER,              -- label
  profile            INTEGER,              -- label
  scope              INTEGER,              -- label
  decision           INTEGER,              -- label
  inference_region   INTEGER,              -- label
  stop_reason        INTEGER,              -- label
  identity           INTEGER,              -- label
  caller_executable  INTEGER,              -- label
  caller_pid         INTEGER,
  request_metadata   INTEGER,              -- label, JSON
  request_type       INTEGER,              -- label, content type
  response_type      INTEGER,              -- label, content type
  flags              INTEGER NOT NULL,     -- 1 stream, 2/4 request/response is JSON, 8/16 request/response truncated
  duration           INTEGER,              -- microseconds
  first_byte         INTEGER,              -- microseconds
  request_bytes      INTEGER NOT NULL,
  response_bytes     INTEGER NOT NULL,
  checksum           INTEGER NOT NULL,     -- XXH3-64, seed = id, of the request's bytes, then the response's
  request_id         ANY,                  -- 16 bytes of a UUID, or text
  sdk_invocation_id  ANY,                  -- 16 bytes of a UUID, or text
  details            TEXT,                 -- JSON
  source_region      TEXT NOT NULL GENERATED ALWAYS AS ('@REGION@') VIRTUAL,
  destinations       INTEGER               -- label, Regions with commas between
) STRICT;

-- A segment holds the bodies of the records from first_record to last_record. Closed: closed_at and what follows is set.
CREATE TABLE segment(
  id           INTEGER PRIMARY KEY,     -- consecutive
  first_record INTEGER NOT NULL,
  opened_at    INTEGER NOT NULL,        -- Unix time, microseconds
  last_record  INTEGER,                 -- first_record - 1 if it has none
  last_label   INTEGER,                 -- highest label.id and event.id at its closing
  last_event   INTEGER,
  stream_bytes INTEGER,                 -- before compression
  closed_at    INTEGER,                 -- Unix time, microseconds
  digest       BLOB,                    -- SHA-256 of its chunks, records, new labels and new events
  chain        BLOB,                    -- SHA-256 of the chain value before, and digest
  request_keys BLOB                     -- sorted: last 4 bytes of a request_id, number in the segment (2 bytes)
) STRICT;
CREATE INDEX segment_first_record ON segment(first_record);

-- The compressed stream, in pieces. id = segment * 2^24 + number.
CREATE TABLE chunk(
  id    INTEGER PRIMARY KEY,
  bytes BLOB NOT NULL
) STRICT;

-- What happened to the store itself: drops, recoveries, failures, starts. In the chain too.
CREATE TABLE event(
  id      INTEGER PRIMARY KEY,
  at      INTEGER NOT NULL,             -- Unix time, microseconds
  kind    TEXT NOT NULL,
  count   INTEGER,                      -- records concerned
  details TEXT                          -- JSON
) STRICT;

-- Requests put on record before they were forwarded (strict durability), whose end is not known yet.
CREATE TABLE intent(
  id    INTEGER PRIMARY KEY,
  bytes BLOB NOT NULL
) STRICT;

)sql";

constexpr const char* kView = R"sql(CREATE VIEW invocations AS SELECT
  id,
  @STARTED_AT@ AS started_at,
  strftime('%Y-%m-%d', started_at / 1000000, 'unixepoch') AS day,
  (SELECT text FROM label WHERE label.id = operation) AS operation,
  (SELECT text FROM label WHERE label.id = model) AS model,
  (SELECT text FROM label WHERE label.id = profile) AS profile,
  (SELECT text FROM label WHERE label.id = scope) AS scope,
  (SELECT text FROM label WHERE label.id = destinations) AS destinations,
  (SELECT text FROM label WHERE label.id = decision) AS decision,
  status,
  (SELECT text FROM label WHERE label.id = outcome) AS outcome,
  (SELECT text FROM label WHERE label.id = error) AS error,
  (SELECT text FROM label WHERE label.id = stop_reason) AS stop_reason,
  input_tokens,
  output_tokens,
  cache_read_tokens,
  cache_write_tokens,
  duration / 1000.0 AS latency_ms,
  first_byte / 1000.0 AS first_byte_ms,
  flags & 1 AS stream,
  @REQUEST_ID@ AS request_id,
  @SDK_ID@ AS sdk_invocation_id,
  (SELECT text FROM label WHERE label.id = identity) AS identity_arn,
  (SELECT text FROM label WHERE label.id = caller) AS caller,
  (SELECT text FROM label WHERE label.id = caller_executable) AS caller_executable,
  caller_pid,
  (SELECT text FROM label WHERE label.id = request_metadata) AS request_metadata,
  request_bytes,
  response_bytes,
  (flags & 24) <> 0 AS truncated,
  coalesce((SELECT text FROM label WHERE label.id = inference_region),
           (SELECT region FROM trail WHERE trail.record = record.id)) AS inference_region,
  source_region,
  details
FROM record)sql";

constexpr const char* kResidencySchema = R"sql(
-- What is known of inference profiles, as the service said last.
CREATE TABLE IF NOT EXISTS inference_profile(
  id           TEXT PRIMARY KEY,        -- eu.amazon.nova-2-lite-v1:0, or an application profile's
  arn          TEXT NOT NULL,
  kind         TEXT NOT NULL,           -- system, application
  scope        TEXT NOT NULL,           -- in-region, geographic, global
  geography    TEXT NOT NULL,           -- eu, us, apac, ...; '': none
  models       TEXT NOT NULL,           -- ids, with commas between
  destinations TEXT NOT NULL,           -- Regions, with commas between; '*': any commercial Region
  wraps        TEXT NOT NULL,           -- of an application profile: the system profile's id, or ''
  name         TEXT NOT NULL,
  learned_at   INTEGER NOT NULL         -- Unix time, microseconds
) STRICT, WITHOUT ROWID;

-- What CloudTrail says of a record.
CREATE TABLE IF NOT EXISTS trail(
  record   INTEGER PRIMARY KEY,
  region   TEXT NOT NULL,               -- where it was processed
  at       INTEGER NOT NULL,            -- the event's time, Unix time, microseconds
  event_id ANY NOT NULL,                -- 16 bytes of a UUID, or text
  outside  INTEGER NOT NULL             -- 1: processed where it was not allowed to be
) STRICT;

-- Calls that CloudTrail knows and the agent never saw.
CREATE TABLE IF NOT EXISTS unseen_call(
  event_id         TEXT PRIMARY KEY,
  at               INTEGER NOT NULL,    -- the event's time, Unix time, microseconds
  request_id       TEXT NOT NULL,
  operation        TEXT NOT NULL,
  model            TEXT NOT NULL,
  principal        TEXT NOT NULL,       -- ARN
  source_address   TEXT NOT NULL,
  inference_region TEXT NOT NULL,
  error            TEXT NOT NULL        -- error code, '' none
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS unseen_call_at ON unseen_call(at);

-- Which of CloudTrail's events were looked at.
CREATE TABLE IF NOT EXISTS reconciliation(
  id      INTEGER PRIMARY KEY,
  at      INTEGER NOT NULL,             -- when it ended; this, since and until: Unix time, microseconds
  source  TEXT NOT NULL,                -- file, folder, s3://..., or "lookup"
  since   INTEGER NOT NULL,             -- the span that the events cover
  until   INTEGER NOT NULL,
  events  INTEGER NOT NULL,             -- invocations of this account and Region
  matched INTEGER NOT NULL,             -- of them: with a record
  unseen  INTEGER NOT NULL,             -- of them: without one
  missing INTEGER NOT NULL,             -- records of the span without an event
  outside INTEGER NOT NULL              -- matched, and processed outside the allowed destinations
) STRICT;
)sql";

constexpr const char* kDeliverySchema = R"sql(
-- Whom the store's deliveries come from: names objects and streams that no other store's may overwrite.
CREATE TABLE IF NOT EXISTS instance(
  id   INTEGER PRIMARY KEY CHECK (id = 1),
  name TEXT NOT NULL                    -- 32 hex digits, random
) STRICT;
INSERT OR IGNORE INTO instance(id, name) VALUES (1, lower(hex(randomblob(16))));

-- How far each destination has got.
CREATE TABLE IF NOT EXISTS delivery(
  destination       TEXT PRIMARY KEY,   -- s3, cloudwatch_logs
  target            TEXT NOT NULL DEFAULT '',    -- for people, as of the last delivery
  cursor            INTEGER NOT NULL,   -- every record up to here is delivered, a dead letter, or gone by retention
  planned_last      INTEGER NOT NULL DEFAULT 0,  -- 0: no batch under way; else it is cursor + 1 .. planned_last
  plan              TEXT NOT NULL DEFAULT '',    -- JSON of the destination's own
  delivered_records INTEGER NOT NULL DEFAULT 0,
  delivered_batches INTEGER NOT NULL DEFAULT 0,
  delivered_bytes   INTEGER NOT NULL DEFAULT 0,  -- over the wire
  retries           INTEGER NOT NULL DEFAULT 0,
  last_success      INTEGER NOT NULL DEFAULT 0,  -- Unix time, microseconds; 0: never
  last_error        TEXT NOT NULL DEFAULT '',    -- '': the last attempt succeeded
  last_error_at     INTEGER NOT NULL DEFAULT 0   -- Unix time, microseconds
) STRICT, WITHOUT ROWID;

-- Records that a destination does not take.
CREATE TABLE IF NOT EXISTS dead_letter(
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  destination TEXT NOT NULL,
  record      INTEGER NOT NULL,
  at          INTEGER NOT NULL,         -- Unix time, microseconds
  reason      TEXT NOT NULL,
  retry       INTEGER NOT NULL DEFAULT 0,  -- 1: somebody asked for another attempt
  UNIQUE(destination, record)
) STRICT;
CREATE INDEX IF NOT EXISTS dead_letter_retry ON dead_letter(destination, id) WHERE retry = 1;

-- Objects that a destination was given, so that what is erased can be erased there. Gone with their records.
CREATE TABLE IF NOT EXISTS delivered_object(
  id          INTEGER PRIMARY KEY,
  destination TEXT NOT NULL,
  place       TEXT NOT NULL,            -- s3://bucket/key
  first       INTEGER NOT NULL,         -- records: it holds some of first..last, none besides
  last        INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS delivered_object_last ON delivered_object(last);

-- What a destination may have of the store, beside its row in `delivery`.
CREATE TABLE IF NOT EXISTS delivery_reach(
  destination TEXT PRIMARY KEY,
  first       INTEGER,                     -- older records were never for it; NULL: not known
  attempted   INTEGER NOT NULL DEFAULT 0   -- the newest record of any attempt, with or without an answer
) STRICT, WITHOUT ROWID;

-- Which records went to which target of a destination, or may have. Gone with their records.
CREATE TABLE IF NOT EXISTS delivered_range(
  id          INTEGER PRIMARY KEY,
  destination TEXT NOT NULL,
  target      TEXT NOT NULL,            -- for people: bucket, log group and stream; '': not known
  first       INTEGER NOT NULL,         -- records first..last, refused ones among them
  last        INTEGER NOT NULL,
  answered    INTEGER NOT NULL          -- attempts up to here were answered; first - 1: none
) STRICT;
CREATE INDEX IF NOT EXISTS delivered_range_last ON delivered_range(last);
CREATE INDEX IF NOT EXISTS delivered_range_answered ON delivered_range(destination, answered);

-- The chain head that each place of a destination was given last.
CREATE TABLE IF NOT EXISTS delivered_head(
  destination TEXT NOT NULL,
  target      TEXT NOT NULL,            -- for people: bucket, log group and stream
  folder      TEXT NOT NULL,            -- of the bucket, where objects with heads are; '': the target has none
  segment     INTEGER NOT NULL,         -- whose head it was
  PRIMARY KEY(destination, target, folder)
) STRICT, WITHOUT ROWID;
)sql";

constexpr const char* kHostSchema = R"sql(
-- Whose the records are where the store was moved, or its host renamed, since its birth.
CREATE TABLE IF NOT EXISTS host_change(
  first_record INTEGER PRIMARY KEY,     -- this one and those after it, up to the next row's
  host         TEXT NOT NULL
) STRICT;
)sql";

// Cut off, as the day, and as what is delivered.
constexpr const char* kStartedAt =
    "strftime('%Y-%m-%dT%H:%M:%S', started_at / 1000000, 'unixepoch') || printf('.%03dZ', "
    "started_at / 1000 % 1000)";
// Stores were given this one first: it rounds.
constexpr const char* kStartedAtBefore =
    "strftime('%Y-%m-%dT%H:%M:%fZ', started_at / 1000000.0, 'unixepoch')";

bool has(sqlite3* connection, std::string_view type, std::string_view name) {
  Statement select(connection, "SELECT 1 FROM main.sqlite_schema WHERE type = ?1 AND name = ?2");
  return select.bind_text(1, type).bind_text(2, name).step();
}

bool has_table(sqlite3* connection, std::string_view name) {
  return has(connection, "table", name);
}

std::string uuid_or_text(const std::string& column) {
  const auto part = [&column](const char* range) {
    return "lower(substr(hex(" + column + "), " + range + "))";
  };
  return "CASE WHEN typeof(" + column + ") = 'blob' THEN " + part("1, 8") + " || '-' || " +
         part("9, 4") + " || '-' || " + part("13, 4") + " || '-' || " + part("17, 4") +
         " || '-' || " + part("21, 12") + " ELSE " + column + " END";
}

void replace(std::string& text, const std::string& what, const std::string& with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at)) {
    text.replace(at, what.size(), with);
    at += with.size();
  }
}

// Of the view `invocations`, as it stands in sqlite_schema.
std::string view_sql(const char* started_at = kStartedAt) {
  std::string sql = kView;
  replace(sql, "@STARTED_AT@", started_at);
  replace(sql, "@REQUEST_ID@", uuid_or_text("request_id"));
  replace(sql, "@SDK_ID@", uuid_or_text("sdk_invocation_id"));
  return sql;
}

bool has_index(sqlite3* connection, std::string_view name) {
  return has(connection, "index", name);
}

// By which retention finds the oldest unseen calls.
bool has_unseen_index(sqlite3* connection) {
  return has_index(connection, "unseen_call_at");
}

// By which delivery finds what is to be tried again, and how far it has got, among any number of
// rows.
bool has_delivery_indexes(sqlite3* connection) {
  return has_index(connection, "dead_letter_retry") &&
         has_index(connection, "delivered_range_answered");
}

// As it was before there were `trail` and record.destinations.
std::string first_view_sql() {
  std::string sql = view_sql(kStartedAtBefore);
  replace(sql, "  (SELECT text FROM label WHERE label.id = destinations) AS destinations,\n", "");
  replace(sql,
          "coalesce((SELECT text FROM label WHERE label.id = inference_region),\n"
          "           (SELECT region FROM trail WHERE trail.record = record.id))",
          "(SELECT text FROM label WHERE label.id = inference_region)");
  return sql;
}

}  // namespace

std::string region_problem(const std::string& region) {
  const bool valid = !region.empty() && region.size() <= 32 &&
                     std::all_of(region.begin(), region.end(), [](char character) {
                       return (character >= 'a' && character <= 'z') ||
                              (character >= '0' && character <= '9') || character == '-';
                     });
  return valid ? "" : "\"" + region + "\" is no Region: write it like eu-central-1";
}

std::string schema_sql(const std::string& region) {
  std::string sql = kSchema;
  replace(sql, "@REGION@", region);
  return sql + view_sql() + ";";
}

std::string residency_schema_sql() {
  return kResidencySchema;
}

void ensure_residency_tables(sqlite3* connection) {
  Statement view(connection, "SELECT sql FROM sqlite_schema WHERE name = 'invocations'");
  const bool current = has_destinations(connection) && has_trail(connection) &&
                       has_unseen_index(connection) && view.step() && view.bytes(0) == view_sql();
  view.reset();
  if (current) {
    return;
  }
  WriteTransaction transaction(connection);
  execute(connection, residency_schema_sql());
  if (!has_destinations(connection)) {
    execute(connection, "ALTER TABLE record ADD COLUMN destinations INTEGER");
  }
  execute(connection, "DROP VIEW IF EXISTS invocations");
  execute(connection, view_sql());
  transaction.commit();
}

bool has_destinations(sqlite3* connection) {
  return single_integer(connection,
                        "SELECT count(*) FROM pragma_table_xinfo('record', 'main') WHERE name = "
                        "'destinations'") == 1;
}

bool has_trail(sqlite3* connection) {
  return has_table(connection, "trail");
}

std::vector<std::string> schema_problems(sqlite3* connection) {
  const bool is_first = !has_destinations(connection) && !has_trail(connection);
  const std::vector<std::string> known = is_first
                                             ? std::vector{first_view_sql()}
                                             : std::vector{view_sql(), view_sql(kStartedAtBefore)};
  std::vector<std::string> problems;
  bool found = false;
  Statement rows(connection,
                 "SELECT type, name, sql FROM sqlite_schema WHERE type IN ('view', 'trigger') "
                 "ORDER BY name");
  while (rows.step()) {
    const std::string type(rows.bytes(0)), name(rows.bytes(1));
    if (type == "view" && name == "invocations") {
      found = std::find(known.begin(), known.end(), rows.bytes(2)) != known.end();
    } else {
      problems.push_back("it has a " + type + " `" + name +
                         "`, which is not invlog's, and may hide or change what is recorded");
    }
  }
  if (!found) {
    problems.emplace_back(
        "the view `invocations` is not as invlog wrote it: what queries showed may not be what is "
        "recorded. `invlog agent` writes it anew when it starts");
  }
  return problems;
}

std::string delivery_schema_sql() {
  return kDeliverySchema;
}

bool has_host_changes(sqlite3* connection) {
  return has_table(connection, "host_change");
}

std::string host_schema_sql() {
  return kHostSchema;
}

bool has_delivery_tables(sqlite3* connection) {
  constexpr std::int64_t kTables = 3;
  return single_integer(connection,
                        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN "
                        "('instance', 'delivery', 'dead_letter')") == kTables &&
         single_integer(connection, "SELECT count(*) FROM instance") == 1;
}

bool has_delivered_objects(sqlite3* connection) {
  return has_table(connection, "delivered_object");
}

bool has_delivery_reach(sqlite3* connection) {
  return has_table(connection, "delivery_reach");
}

bool has_delivered_ranges(sqlite3* connection) {
  return has_table(connection, "delivered_range");
}

bool has_delivered_heads(sqlite3* connection) {
  return has_table(connection, "delivered_head");
}

void ensure_delivery_tables(sqlite3* connection) {
  if (has_delivery_tables(connection) && has_delivered_objects(connection) &&
      has_delivery_reach(connection) && has_delivered_ranges(connection) &&
      has_delivered_heads(connection) && has_delivery_indexes(connection)) {
    return;
  }
  WriteTransaction transaction(connection);
  execute(connection, delivery_schema_sql());
  transaction.commit();
}

}  // namespace invlog::storage
