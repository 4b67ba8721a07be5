#include "storage/delivery_ledger.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>

#include "storage/delivered_ranges.h"
#include "storage/json_writer.h"
#include "storage/read_transaction.h"
#include "storage/retention_base.h"
#include "storage/schema.h"
#include "storage/side_connection.h"
#include "storage/statement.h"
#include "storage/store_error.h"
#include "storage/store_file.h"
#include "storage/store_identity.h"
#include "storage/time_text.h"
#include "storage/write_transaction.h"

namespace invlog::storage {
namespace {

constexpr std::int64_t kCountedTogether = 16'384;  // records

constexpr const char* kStateColumns =
    "SELECT destination, target, cursor, planned_last, plan, delivered_records, "
    "delivered_batches, delivered_bytes, retries, last_success, last_error, last_error_at FROM "
    "delivery ";
constexpr const char* kLetterColumns =
    "SELECT id, destination, record, at, reason, retry FROM dead_letter ";

DeliveryState state_of(const Statement& row) {
  DeliveryState state;
  state.destination = row.bytes(0);
  state.target = row.bytes(1);
  state.cursor = row.integer(2);
  state.planned_last = row.integer(3);
  state.plan = row.bytes(4);
  state.delivered_records = row.integer(5);
  state.delivered_batches = row.integer(6);
  state.delivered_bytes = row.integer(7);
  state.retries = row.integer(8);
  state.last_success_us = row.integer(9);
  state.last_error = row.bytes(10);
  state.last_error_us = row.integer(11);
  return state;
}

std::vector<DeadLetter> letters_of(Statement& rows) {
  std::vector<DeadLetter> letters;
  while (rows.step()) {
    DeadLetter letter;
    letter.id = rows.integer(0);
    letter.destination = rows.bytes(1);
    letter.record = rows.integer(2);
    letter.at_us = rows.integer(3);
    letter.reason = rows.bytes(4);
    letter.retry = rows.integer(5) != 0;
    letters.push_back(std::move(letter));
  }
  return letters;
}

std::string refusal_details(std::string_view destination, const DeadLetter& letter) {
  std::string details = "{";
  append_json_member(details, "destination", destination);
  append_json_number(details, "record", letter.record);
  append_json_member(details, "reason", letter.reason);
  return details + "}";
}

}  // namespace

std::unique_ptr<FileLock> try_delivery_lock(const std::string& store_path,
                                            std::string_view destination) {
  if (destination.empty() || destination.find('/') != std::string_view::npos) {
    throw std::invalid_argument("no destination's name: " + std::string(destination));
  }
  const std::string path = resolved_store_path(store_path);
  return FileLock::try_lock(path + "-ship-" + std::string(destination), path);
}

class DeliveryLedger::Implementation {
 public:
  Implementation(std::shared_ptr<sqlite3> connection, std::function<std::int64_t()> clock)
      : connection_(std::move(connection)), clock_(std::move(clock)) {}

  std::string instance() {
    Statement select(connection_.get(), "SELECT name FROM instance");
    if (!select.step()) {
      throw StoreError("the store's `instance` row is missing; open it once with `invlog agent`");
    }
    return std::string(select.bytes(0));
  }

  DeliveryState state(std::string_view destination, std::int64_t start) {
    if (auto known = find_state(destination)) {
      return *known;
    }
    WriteTransaction transaction(connection_.get());
    ensure_row(destination, start);
    DeliveryState made = *find_state(destination);
    transaction.commit();
    return made;
  }

  std::vector<DeliveryState> states() {
    Statement rows(connection_.get(), kStateColumns + std::string("ORDER BY destination"));
    std::vector<DeliveryState> states;
    while (rows.step()) {
      states.push_back(state_of(rows));
    }
    return states;
  }

  void put_plan(std::string_view destination, std::int64_t last, std::string_view plan,
                std::string_view target) {
    WriteTransaction transaction(connection_.get());
    begin_attempt(destination, last, target);
    Statement(connection_.get(),
              "UPDATE delivery SET planned_last = ?2, plan = ?3 WHERE destination = ?1")
        .bind_text(1, destination)
        .bind(2, last)
        .bind_text(3, plan)
        .run();
    transaction.commit();
  }

  void note_attempt(std::string_view destination, std::int64_t last, std::string_view target) {
    Statement known(connection_.get(),
                    "SELECT 1 FROM delivery_reach WHERE destination = ?1 AND attempted >= ?2");
    if (known.bind_text(1, destination).bind(2, last).step() &&
        DeliveredRanges(connection_.get(), destination).has_attempt(target, last)) {
      return;  // an attempt is often repeated
    }
    known.reset();
    WriteTransaction transaction(connection_.get());
    begin_attempt(destination, last, target);
    transaction.commit();
  }

  void note_retry(std::string_view destination, const std::vector<DeadLetter>& letters,
                  std::string_view target) {
    if (letters.empty()) {
      return;
    }
    std::vector<std::int64_t> records;
    for (const DeadLetter& letter : letters) {
      records.push_back(letter.record);
    }
    WriteTransaction transaction(connection_.get());
    DeliveredRanges(connection_.get(), destination).attempt_again(target, records);
    transaction.commit();
  }

  std::optional<std::int64_t> first_record(std::string_view destination) {
    Statement select(connection_.get(), "SELECT first FROM delivery_reach WHERE destination = ?1");
    return select.bind_text(1, destination).step() ? select.optional_integer(0) : std::nullopt;
  }

  std::optional<DeliveryState> find_state(std::string_view destination) {
    Statement row(connection_.get(), kStateColumns + std::string("WHERE destination = ?1"));
    return row.bind_text(1, destination).step() ? std::optional(state_of(row)) : std::nullopt;
  }

  std::vector<std::string> objects_of(std::string_view destination, std::int64_t record) {
    Statement rows(connection_.get(),
                   "SELECT place FROM delivered_object WHERE last = ?2 AND first = ?2 AND "
                   "destination = ?1 ORDER BY id DESC");
    rows.bind_text(1, destination).bind(2, record);
    std::vector<std::string> places;
    while (rows.step()) {
      places.emplace_back(rows.bytes(0));
    }
    return places;
  }

  std::vector<std::string> newest_objects(std::string_view destination, std::int64_t most) {
    std::vector<std::string> places;
    if (!has_delivered_objects(connection_.get())) {
      return places;  // looked at only, and by an older invlog
    }
    Statement rows(connection_.get(),
                   "SELECT place FROM delivered_object WHERE destination = ?1 ORDER BY id DESC "
                   "LIMIT ?2");
    rows.bind_text(1, destination).bind(2, most);
    while (rows.step()) {
      places.emplace_back(rows.bytes(0));
    }
    return places;
  }

  std::vector<DeliveredHead> heads_of(std::string_view destination) {
    std::vector<DeliveredHead> heads;
    if (!has_delivered_heads(connection_.get())) {
      return heads;  // looked at only, and by an older invlog
    }
    Statement rows(
        connection_.get(),
        "SELECT target, folder, segment FROM delivered_head WHERE destination = ?1 ORDER "
        "BY target, folder");
    rows.bind_text(1, destination);
    while (rows.step()) {
      heads.push_back({std::string(rows.bytes(0)), std::string(rows.bytes(1)), rows.integer(2)});
    }
    return heads;
  }

  void drop_plan(std::string_view destination) {
    WriteTransaction transaction(connection_.get());
    Statement(connection_.get(),
              "UPDATE delivery SET planned_last = 0, plan = '' WHERE destination = ?1")
        .bind_text(1, destination)
        .run();
    transaction.commit();
  }

  void advance(std::string_view destination, const Delivered& delivered) {
    WriteTransaction transaction(connection_.get());
    check_last(destination, delivered.last);
    ensure_row(destination, 0);
    DeliveredRanges(connection_.get(), destination).answer(delivered.target, delivered.last);
    const std::int64_t now = clock_();
    // Never backwards: retention may have moved it on meanwhile.
    Statement(connection_.get(),
              "UPDATE delivery SET cursor = max(cursor, ?2), planned_last = 0, plan = '', "
              "delivered_records = delivered_records + ?3, delivered_batches = delivered_batches + "
              "iif(?3 > 0, 1, 0), delivered_bytes = delivered_bytes + ?4, target = ?5, "
              "last_success = iif(?3 > 0, ?6, last_success), "
              "last_error = '', last_error_at = 0 WHERE destination = ?1")
        .bind_text(1, destination)
        .bind(2, delivered.last)
        .bind(3, delivered.records)
        .bind(4, delivered.bytes)
        .bind_text(5, delivered.target)
        .bind(6, now)
        .run();
    for (const DeadLetter& letter : delivered.refused) {
      insert_letter(destination, letter, now);
    }
    insert_objects(destination, delivered.objects);
    if (delivered.head) {
      put_head(destination, *delivered.head);
    }
    transaction.commit();
  }

  void note_failure(std::string_view destination, std::string_view error, bool is_retry) {
    WriteTransaction transaction(connection_.get());
    ensure_row(destination, 0);
    Statement(connection_.get(),
              "UPDATE delivery SET retries = retries + ?2, last_error = ?3, last_error_at = ?4 "
              "WHERE destination = ?1")
        .bind_text(1, destination)
        .bind(2, std::int64_t{is_retry ? 1 : 0})
        .bind_text(3, error)
        .bind(4, clock_())
        .run();
    transaction.commit();
  }

  void clear_failure(std::string_view destination, std::string_view error) {
    WriteTransaction transaction(connection_.get());
    Statement(connection_.get(),
              "UPDATE delivery SET last_error = '', last_error_at = 0 WHERE destination = ?1 AND "
              "last_error = ?2")
        .bind_text(1, destination)
        .bind_text(2, error)
        .run();
    transaction.commit();
  }

  void add_event(std::string_view kind, std::string_view details) {
    WriteTransaction transaction(connection_.get());
    insert_event(kind, std::nullopt, details);
    transaction.commit();
  }

  void add_event_once(std::string_view kind, std::string_view details) {
    WriteTransaction transaction(connection_.get());
    Statement newest(connection_.get(), "SELECT kind, details FROM event ORDER BY id DESC LIMIT 1");
    if (newest.step() && newest.bytes(0) == kind && newest.bytes(1) == details) {
      return;
    }
    newest.reset();
    insert_event(kind, std::nullopt, details);
    transaction.commit();
  }

  bool pin_account(const std::string& account_id) {
    WriteTransaction transaction(connection_.get());
    const std::string pinned = pin_store_account(connection_.get(), account_id, clock_());
    transaction.commit();
    return pinned == account_id;
  }

  std::vector<DeadLetter> dead_letters(std::string_view destination) {
    Statement rows(connection_.get(), kLetterColumns + std::string("WHERE ?1 = '' OR destination = "
                                                                   "?1 ORDER BY id"));
    rows.bind_text(1, destination);
    return letters_of(rows);
  }

  std::optional<DeadLetter> dead_letter(std::int64_t id) {
    Statement row(connection_.get(), kLetterColumns + std::string("WHERE id = ?1"));
    row.bind(1, id);
    std::vector<DeadLetter> found = letters_of(row);
    return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
  }

  std::int64_t count_dead_letters(std::string_view destination) {
    Statement count(connection_.get(),
                    "SELECT count(*) FROM dead_letter WHERE ?1 = '' OR destination = ?1");
    count.bind_text(1, destination).step();
    return count.integer(0);
  }

  std::int64_t retry_dead_letters(const std::vector<std::int64_t>& ids) {
    WriteTransaction transaction(connection_.get());
    const std::int64_t changed = for_each(ids, "UPDATE dead_letter SET retry = 1 WHERE id = ?1");
    transaction.commit();
    return changed;
  }

  // A record's end is in the chain, whichever it is: refused, delivered after all, or dropped by
  // somebody's hand.
  std::int64_t end_letters(const std::vector<std::int64_t>& ids, const char* event_kind) {
    std::map<std::string, std::string> records;  // by destination, JSON numbers
    std::int64_t ended = 0;
    for (const std::int64_t id : ids) {
      if (const auto letter = dead_letter(id)) {
        std::string& list = records[letter->destination];
        list += (list.empty() ? "" : ",") + std::to_string(letter->record);
        ++ended;
        Statement(connection_.get(), "DELETE FROM dead_letter WHERE id = ?1").bind(1, id).run();
      }
    }
    for (const auto& [destination, list] : records) {
      std::string details = "{";
      append_json_member(details, "destination", destination);
      append_json_raw(details, "records", "[" + list + "]");
      insert_event(event_kind, 1 + std::count(list.begin(), list.end(), ','), details + "}");
    }
    return ended;
  }

  std::int64_t drop_dead_letters(const std::vector<std::int64_t>& ids) {
    WriteTransaction transaction(connection_.get());
    const std::int64_t dropped = end_letters(ids, "dead-letters-dropped");
    transaction.commit();
    return dropped;
  }

  std::vector<DeadLetter> requested_retries(std::string_view destination, std::int64_t limit) {
    Statement rows(connection_.get(),
                   kLetterColumns + std::string("WHERE destination = ?1 AND "
                                                "retry = 1 ORDER BY id LIMIT ?2"));
    rows.bind_text(1, destination).bind(2, limit);
    return letters_of(rows);
  }

  void settle_retries(const std::vector<std::int64_t>& delivered,
                      const std::vector<DeadLetter>& refused, std::string_view destination,
                      std::string_view target, const std::vector<DeliveredObject>& objects,
                      std::int64_t bytes) {
    WriteTransaction transaction(connection_.get());
    std::vector<std::int64_t> answered;
    for (const std::int64_t id : delivered) {
      if (const auto letter = dead_letter(id)) {
        answered.push_back(letter->record);
      }
    }
    for (const DeadLetter& letter : refused) {
      answered.push_back(letter.record);
    }
    DeliveredRanges(connection_.get(), destination).answer_again(target, std::move(answered));
    const std::int64_t records = end_letters(delivered, "dead-letters-delivered");
    Statement(connection_.get(),
              "UPDATE delivery SET delivered_records = delivered_records + ?2, delivered_batches = "
              "delivered_batches + iif(?2 > 0, 1, 0), delivered_bytes = delivered_bytes + ?3, "
              "last_success = iif(?2 > 0, ?4, last_success), "
              "last_error = iif(?2 > 0, '', last_error), "
              "last_error_at = iif(?2 > 0, 0, last_error_at) WHERE destination = ?1")
        .bind_text(1, destination)
        .bind(2, records)
        .bind(3, bytes)
        .bind(4, clock_())
        .run();
    Statement refuse(connection_.get(),
                     "UPDATE dead_letter SET retry = 0, reason = ?2, at = ?3 WHERE id = ?1");
    const std::int64_t now = clock_();
    for (const DeadLetter& letter : refused) {
      refuse.bind(1, letter.id)
          .bind_text(2, letter.reason)
          .bind(3, letter.at_us != 0 ? letter.at_us : now)
          .run();
    }
    insert_objects(destination, objects);
    transaction.commit();
  }

  std::int64_t newest_event() {
    return single_integer(connection_.get(), "SELECT max(id) FROM event");
  }

  bool erased_since(std::int64_t since) {
    Statement select(connection_.get(), "SELECT 1 FROM event WHERE id > ?1 AND kind = 'erased'");
    return select.bind(1, since).step();
  }

  void give_up_when(std::function<bool()> given_up) { given_up_ = std::move(given_up); }

  std::int64_t undelivered(std::string_view destination) {
    const ReadTransaction snapshot(connection_.get());
    const auto [first, last] = undelivered_range(destination);
    return std::max<std::int64_t>(0, last - first + 1);
  }

  Backlog backlog(std::string_view destination) {
    const ReadTransaction snapshot(connection_.get());
    const auto [first, last] = undelivered_range(destination);
    Counted& counted = counted_[std::string(destination)];
    count(counted, first, last);
    Backlog backlog;
    for (const auto& [number, portion] : counted.portions) {
      backlog.records += portion.records;
      backlog.body_bytes += portion.bytes;
    }
    Statement oldest(connection_.get(),
                     "SELECT started_at + coalesce(duration, 0) FROM record WHERE id >= ?1 ORDER "
                     "BY id LIMIT 1");
    if (oldest.bind(1, first).step()) {
      backlog.oldest_at_us = oldest.integer(0);
    }
    return backlog;
  }

 private:
  struct Portion {
    std::int64_t records = 0, bytes = 0;
  };
  // What was counted last: a backlog of millions of rows is asked for again and again, and only its
  // two ends change. In portions, since rows that retention took cannot be looked at any more:
  // whole portions go from the front, and only what is left of the first one is counted anew.
  struct Counted {
    std::int64_t first = 1, last = 0;          // ids
    std::map<std::int64_t, Portion> portions;  // by id / kCountedTogether
  };

  // Ids; those between are all there.
  std::pair<std::int64_t, std::int64_t> undelivered_range(std::string_view destination) {
    const auto known = find_state(destination);
    const std::int64_t first =
        std::max(1 + (known ? known->cursor : 0),
                 single_integer(connection_.get(), "SELECT min(first_record) FROM segment"));
    return {first, single_integer(connection_.get(), "SELECT max(id) FROM record")};
  }

  void count(Counted& counted, std::int64_t first, std::int64_t last) {
    if (first < counted.first || first > counted.last || last < counted.last) {
      counted = {first, first - 1, {}};
    }
    if (first > counted.first) {
      const std::int64_t number = first / kCountedTogether;
      counted.portions.erase(counted.portions.begin(), counted.portions.lower_bound(number));
      counted.portions[number] = sum(first, std::min(portion_end(first), counted.last));
      counted.first = first;
    }
    while (counted.last < last) {
      const std::int64_t next = counted.last + 1, end = std::min(portion_end(next), last);
      const Portion come = sum(next, end);
      Portion& portion = counted.portions[next / kCountedTogether];
      portion = {portion.records + come.records, portion.bytes + come.bytes};
      counted.last = end;
    }
  }

  // The last id that is counted together with `id`.
  static std::int64_t portion_end(std::int64_t id) {
    return (id / kCountedTogether + 1) * kCountedTogether - 1;
  }

  Portion sum(std::int64_t first, std::int64_t last) {
    if (given_up_ && given_up_()) {
      throw StoreError("nobody waits for the backlog any more");
    }
    Statement select(
        connection_.get(),
        "SELECT count(*), coalesce(sum(request_bytes + response_bytes), 0) FROM record "
        "WHERE id BETWEEN ?1 AND ?2");
    select.bind(1, first).bind(2, last).step();
    return {select.integer(0), select.integer(1)};
  }

  void ensure_row(std::string_view destination, std::int64_t start) {
    Statement(connection_.get(),
              "INSERT INTO delivery(destination, cursor) VALUES (?1, ?2) ON CONFLICT DO NOTHING")
        .bind_text(1, destination)
        .bind(2, start)
        .run();
    if (sqlite3_changes(connection_.get()) > 0) {
      Statement(connection_.get(),
                "INSERT OR REPLACE INTO delivery_reach(destination, first) VALUES (?1, ?2)")
          .bind_text(1, destination)
          .bind(2, start + 1)
          .run();
    }
  }

  // Whatever becomes of its answer.
  void begin_attempt(std::string_view destination, std::int64_t last, std::string_view target) {
    check_last(destination, last);
    ensure_row(destination, 0);
    DeliveredRanges(connection_.get(), destination).attempt(target, last);
    Statement(connection_.get(),
              "UPDATE delivery SET target = ?2 WHERE destination = ?1 AND target = ''")
        .bind_text(1, destination)
        .bind_text(2, target)
        .run();
    Statement(connection_.get(),
              "INSERT INTO delivery_reach(destination, attempted) VALUES (?1, ?2) ON CONFLICT DO "
              "UPDATE SET attempted = max(attempted, excluded.attempted)")
        .bind_text(1, destination)
        .bind(2, last)
        .run();
  }

  // A cursor behind the last record would skip records that are still to come.
  void check_last(std::string_view destination, std::int64_t last) {
    std::int64_t newest =
        std::max(single_integer(connection_.get(), "SELECT max(id) FROM record"),
                 single_integer(connection_.get(), "SELECT max(cursor) FROM delivery"));
    if (last > newest) {
      newest = std::max(newest, read_retention_base(connection_.get()).record);
    }
    if (last > newest) {
      throw StoreError("delivery to " + std::string(destination) + ": record " +
                       std::to_string(last) + " is not in the store, whose last is " +
                       std::to_string(newest));
    }
  }

  // A record that retention took while it was under way is counted there, and cannot be tried
  // again.
  void insert_letter(std::string_view destination, const DeadLetter& letter, std::int64_t now) {
    Statement(connection_.get(),
              "INSERT INTO dead_letter(destination, record, at, reason) SELECT ?1, ?2, ?3, ?4 "
              "WHERE EXISTS (SELECT 1 FROM record WHERE id = ?2) ON CONFLICT DO UPDATE SET at = "
              "excluded.at, reason = excluded.reason, retry = 0")
        .bind_text(1, destination)
        .bind(2, letter.record)
        .bind(3, letter.at_us != 0 ? letter.at_us : now)
        .bind_text(4, letter.reason)
        .run();
    insert_event("dead-letter", 1, refusal_details(destination, letter));
  }

  void insert_objects(std::string_view destination, const std::vector<DeliveredObject>& objects) {
    Statement insert(connection_.get(),
                     "INSERT INTO delivered_object(destination, place, first, last) VALUES (?1, "
                     "?2, ?3, ?4)");
    for (const DeliveredObject& object : objects) {
      insert.bind_text(1, destination)
          .bind_text(2, object.place)
          .bind(3, object.first)
          .bind(4, object.last)
          .run();
    }
  }

  void put_head(std::string_view destination, const DeliveredHead& head) {
    Statement(connection_.get(),
              "INSERT INTO delivered_head(destination, target, folder, segment) VALUES (?1, ?2, "
              "?3, ?4) ON CONFLICT DO UPDATE SET segment = excluded.segment WHERE segment <> "
              "excluded.segment")
        .bind_text(1, destination)
        .bind_text(2, head.target)
        .bind_text(3, head.folder)
        .bind(4, head.segment)
        .run();
  }

  void insert_event(std::string_view kind, std::optional<std::int64_t> count,
                    std::string_view details) {
    Statement(connection_.get(),
              "INSERT INTO event(at, kind, count, details) VALUES (?1, ?2, ?3, ?4)")
        .bind(1, clock_())
        .bind_text(2, kind)
        .bind(3, count)
        .bind_text_or_null(4, details)
        .run();
  }

  std::int64_t for_each(const std::vector<std::int64_t>& ids, const char* sql) {
    Statement statement(connection_.get(), sql);
    std::int64_t changed = 0;
    for (const std::int64_t id : ids) {
      statement.bind(1, id).run();
      changed += sqlite3_changes(connection_.get());
    }
    return changed;
  }

  const std::shared_ptr<sqlite3> connection_;  // its own, or lent
  const std::function<std::int64_t()> clock_;
  std::map<std::string, Counted> counted_;  // by destination
  std::function<bool()> given_up_;
};

tl::expected<std::unique_ptr<DeliveryLedger>, std::string> DeliveryLedger::open(
    const std::string& store_path, const std::string& vfs, std::function<std::int64_t()> clock) {
  auto connection = connect_beside_writer(store_path, vfs, "delivery keeps its cursor there");
  if (!connection) {
    return tl::unexpected(std::move(connection.error()));
  }
  try {
    ensure_delivery_tables(connection->get());
  } catch (const StoreError& error) {
    return tl::unexpected(std::string(error.what()));
  }
  if (!clock) {
    clock = system_now_us;
  }
  return std::unique_ptr<DeliveryLedger>(new DeliveryLedger(
      std::make_unique<Implementation>(std::move(*connection), std::move(clock))));
}

std::unique_ptr<DeliveryLedger> DeliveryLedger::look(sqlite3* connection) {
  if (!has_delivery_tables(connection)) {
    return nullptr;
  }
  const std::shared_ptr<sqlite3> lent(connection, [](sqlite3*) {});
  return std::unique_ptr<DeliveryLedger>(
      new DeliveryLedger(std::make_unique<Implementation>(lent, system_now_us)));
}

DeliveryLedger::DeliveryLedger(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}

DeliveryLedger::~DeliveryLedger() = default;

std::string DeliveryLedger::instance() {
  return implementation_->instance();
}

DeliveryState DeliveryLedger::state(std::string_view destination, std::int64_t start) {
  return implementation_->state(destination, start);
}

std::vector<DeliveryState> DeliveryLedger::states() {
  return implementation_->states();
}

void DeliveryLedger::put_plan(std::string_view destination, std::int64_t last,
                              std::string_view plan, std::string_view target) {
  implementation_->put_plan(destination, last, plan, target);
}

void DeliveryLedger::note_attempt(std::string_view destination, std::int64_t last,
                                  std::string_view target) {
  implementation_->note_attempt(destination, last, target);
}

void DeliveryLedger::note_retry(std::string_view destination,
                                const std::vector<DeadLetter>& letters, std::string_view target) {
  implementation_->note_retry(destination, letters, target);
}

std::optional<std::int64_t> DeliveryLedger::first_record(std::string_view destination) {
  return implementation_->first_record(destination);
}

std::optional<DeliveryState> DeliveryLedger::find_state(std::string_view destination) {
  return implementation_->find_state(destination);
}

std::vector<std::string> DeliveryLedger::objects_of(std::string_view destination,
                                                    std::int64_t record) {
  return implementation_->objects_of(destination, record);
}

std::vector<std::string> DeliveryLedger::newest_objects(std::string_view destination,
                                                        std::int64_t most) {
  return implementation_->newest_objects(destination, most);
}

std::vector<DeliveredHead> DeliveryLedger::heads_of(std::string_view destination) {
  return implementation_->heads_of(destination);
}

void DeliveryLedger::drop_plan(std::string_view destination) {
  implementation_->drop_plan(destination);
}

void DeliveryLedger::advance(std::string_view destination, const Delivered& delivered) {
  implementation_->advance(destination, delivered);
}

void DeliveryLedger::note_failure(std::string_view destination, std::string_view error,
                                  bool is_retry) {
  implementation_->note_failure(destination, error, is_retry);
}

void DeliveryLedger::clear_failure(std::string_view destination, std::string_view error) {
  implementation_->clear_failure(destination, error);
}

void DeliveryLedger::add_event(std::string_view kind, std::string_view details) {
  implementation_->add_event(kind, details);
}

void DeliveryLedger::add_event_once(std::string_view kind, std::string_view details) {
  implementation_->add_event_once(kind, details);
}

bool DeliveryLedger::pin_account(const std::string& account_id) {
  return implementation_->pin_account(account_id);
}

std::vector<DeadLetter> DeliveryLedger::dead_letters(std::string_view destination) {
  return implementation_->dead_letters(destination);
}

std::optional<DeadLetter> DeliveryLedger::dead_letter(std::int64_t id) {
  return implementation_->dead_letter(id);
}

std::int64_t DeliveryLedger::count_dead_letters(std::string_view destination) {
  return implementation_->count_dead_letters(destination);
}

std::int64_t DeliveryLedger::retry_dead_letters(const std::vector<std::int64_t>& ids) {
  return implementation_->retry_dead_letters(ids);
}

std::int64_t DeliveryLedger::drop_dead_letters(const std::vector<std::int64_t>& ids) {
  return implementation_->drop_dead_letters(ids);
}

std::vector<DeadLetter> DeliveryLedger::requested_retries(std::string_view destination,
                                                          std::int64_t limit) {
  return implementation_->requested_retries(destination, limit);
}

void DeliveryLedger::settle_retries(const std::vector<std::int64_t>& delivered,
                                    const std::vector<DeadLetter>& refused,
                                    std::string_view destination, std::string_view target,
                                    const std::vector<DeliveredObject>& objects,
                                    std::int64_t bytes) {
  implementation_->settle_retries(delivered, refused, destination, target, objects, bytes);
}

std::int64_t DeliveryLedger::newest_event() {
  return implementation_->newest_event();
}

bool DeliveryLedger::erased_since(std::int64_t since) {
  return implementation_->erased_since(since);
}

void DeliveryLedger::give_up_when(std::function<bool()> given_up) {
  implementation_->give_up_when(std::move(given_up));
}

std::int64_t DeliveryLedger::undelivered(std::string_view destination) {
  return implementation_->undelivered(destination);
}

Backlog DeliveryLedger::backlog(std::string_view destination) {
  return implementation_->backlog(destination);
}

}  // namespace invlog::storage
