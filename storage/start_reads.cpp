#include "storage/start_reads.h"

#include <algorithm>

#include "storage/read_transaction.h"
#include "storage/retention_base.h"
#include "storage/schema.h"
#include "storage/statement.h"

namespace invlog::storage {
namespace {

void read_rows(Statement& select) {
  while (select.step()) {
  }
}

void read_open_segment(sqlite3* connection) {
  Statement open(connection, "SELECT id, first_record FROM segment WHERE closed_at IS NULL");
  if (!open.step()) {
    return;
  }
  const std::int64_t segment = open.integer(0);
  Statement chunks(connection, "SELECT bytes FROM chunk WHERE id BETWEEN ?1 AND ?2");
  read_rows(chunks.bind(1, chunk_id(segment, 0)).bind(2, chunk_id(segment + 1, 0) - 1));
  Statement records(connection, "SELECT * FROM record WHERE id >= ?1");
  read_rows(records.bind(1, open.integer(1)));
}

// Those that a closing digests with it, and the intents that become records.
void read_other_rows(sqlite3* connection) {
  for (const char* table : {"label", "event"}) {
    const std::string name = table;
    const std::int64_t covered =
        single_integer(connection, "SELECT max(last_" + name + ") FROM segment");
    Statement rows(connection, "SELECT * FROM " + name + " WHERE id > ?1");
    read_rows(rows.bind(1, covered));
  }
  Statement intents(connection, "SELECT * FROM intent");
  read_rows(intents);
}

}  // namespace

NewestNumbers read_newest_numbers(sqlite3* connection) {
  // Numbers of what retention has taken away are never used again.
  const RetentionBase gone = read_retention_base(connection);
  NewestNumbers newest;
  // A row of `segment` may be lost: the chunks of a segment are not written over all the same.
  newest.segment =
      std::max({gone.segment, single_integer(connection, "SELECT max(id) FROM segment"),
                single_integer(connection, "SELECT max(id) >> 24 FROM chunk")});
  newest.record =
      std::max({gone.record, single_integer(connection, "SELECT max(id) FROM record"),
                single_integer(connection,
                               "SELECT max(CASE WHEN closed_at IS NULL THEN first_record - 1 ELSE "
                               "last_record END) FROM segment")});
  newest.intent = single_integer(connection, "SELECT max(id) FROM intent");
  // These give their numbers where they are written; where the newest cannot be read, nothing can
  // be written behind it.
  single_integer(connection, "SELECT max(id) FROM label");
  single_integer(connection, "SELECT max(id) FROM event");
  return newest;
}

std::string damage_problem(const StoreError& error) {
  const int code = error.sqlite_code();
  if (code != SQLITE_CORRUPT && code != SQLITE_NOTADB) {
    return "";
  }
  return std::string("it is damaged (") + sqlite3_errstr(code) + "): " + kAdviceOnDamage;
}

std::string start_problem(sqlite3* connection) {
  try {
    const ReadTransaction snapshot(connection);
    has_delivery_tables(connection);
    read_newest_numbers(connection);
    read_open_segment(connection);
    read_other_rows(connection);
    return "";
  } catch (const StoreError& error) {
    const std::string damage = damage_problem(error);
    return damage.empty()
               ? error.what()
               : "store " + std::string(sqlite3_db_filename(connection, "main")) + ": " + damage;
  }
}

}  // namespace invlog::storage
