// How far each destination has got, kept in the store itself: cursor, plan of the batch under way,
// dead letters, and the figures that `invlog status` shows. FORMAT.md, "Delivery".
//
// Why a connection of its own: the writer's thread must not wait for the network, and `invlog ship`
// delivers from a store that no agent has open. Its transactions are one row or two; SQLite's lock
// orders them with the writer's commits.
//
// Threads: one ledger belongs to one thread; several on one store, in several processes, are fine.
// What a destination's batches need beyond that is a DeliveryLock. Errors: open() returns why it
// could not; everything else throws StoreError.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "storage/file_lock.h"
#include "storage/sqlite_api.h"

namespace invlog::storage {

struct DeliveryState {
  std::string destination;        // "s3", "cloudwatch_logs"
  std::string target;             // for people, as of the last delivery
  std::int64_t cursor = 0;        // every record up to here is delivered or a dead letter
  std::int64_t planned_last = 0;  // 0: no batch under way; else it is cursor + 1 .. planned_last
  std::string plan;               // JSON of the destination's own, "" none
  // A batch of which nothing arrived is none; its bytes were sent.
  std::int64_t delivered_records = 0, delivered_batches = 0, delivered_bytes = 0, retries = 0;
  std::int64_t last_success_us = 0;  // Unix time in µs, 0 never
  std::string last_error;            // "" if the last attempt succeeded, or what failed passed
  std::int64_t last_error_us = 0;
};

struct DeadLetter {
  std::int64_t id = 0;
  std::string destination;
  std::int64_t record = 0;
  std::int64_t at_us = 0;  // Unix time in µs
  std::string reason;
  bool retry = false;  // somebody asked for another attempt
};

// An object that a destination was given: it holds some of the records first .. last.
struct DeliveredObject {
  std::string place;  // "s3://bucket/key"
  std::int64_t first = 0, last = 0;
};

// The head of the chain that a place was given last.
struct DeliveredHead {
  std::string target;        // for people
  std::string folder;        // within the target, where it has several; "" it has none
  std::int64_t segment = 0;  // whose head it is
};

struct Backlog {
  std::int64_t records = 0;
  std::int64_t body_bytes = 0;    // of requests and responses, as they came
  std::int64_t oldest_at_us = 0;  // when the oldest undelivered record's call ended, 0 none
};

// At most one process sends a destination's next batch. Held for one attempt, not for a life.
// No value: somebody else holds it.
std::unique_ptr<FileLock> try_delivery_lock(const std::string& store_path,
                                            std::string_view destination);

class DeliveryLedger {
 public:
  // Adds the ledger's tables to a store that does not have them yet. `vfs`: SQLite VFS by name, ""
  // the default. `clock`: now, Unix µs; empty: the system's.
  static tl::expected<std::unique_ptr<DeliveryLedger>, std::string> open(
      const std::string& store_path, const std::string& vfs = "",
      std::function<std::int64_t()> clock = {});
  // For looking only, through a connection of the caller's that outlives it (Reader::connection()):
  // whatever changes something throws. Null if the store has no such tables yet: nothing was ever
  // delivered from it.
  static std::unique_ptr<DeliveryLedger> look(sqlite3* connection);
  ~DeliveryLedger();
  DeliveryLedger(const DeliveryLedger&) = delete;
  DeliveryLedger& operator=(const DeliveryLedger&) = delete;

  // 32 hex digits, drawn at random when the tables were made.
  std::string instance();

  // A row with cursor `start` is made at the first call for a destination (0: from the beginning).
  DeliveryState state(std::string_view destination, std::int64_t start = 0);
  std::vector<DeliveryState> states();

  // Before the first attempt at a batch of cursor + 1 .. last. `target`, here and below: for
  // people.
  void put_plan(std::string_view destination, std::int64_t last, std::string_view plan,
                std::string_view target);
  // What was in its attempts stays on record as what may have arrived.
  void drop_plan(std::string_view destination);
  // Before an attempt at records up to `last` for which no plan is put: what was in one may be
  // there, whatever became of its answer.
  void note_attempt(std::string_view destination, std::int64_t last, std::string_view target);
  // The first record that is for the destination (its `start` when its row was made); no value: it
  // has no row yet, or an invlog made it that did not note this.
  std::optional<std::int64_t> first_record(std::string_view destination);

  // The row of a destination, if it has one; none is made.
  std::optional<DeliveryState> find_state(std::string_view destination);
  // The objects that a destination was given which hold this record alone.
  std::vector<std::string> objects_of(std::string_view destination, std::int64_t record);
  // Of all that it was given, the newest first, at most so many.
  std::vector<std::string> newest_objects(std::string_view destination, std::int64_t most);
  // One for each place of a destination that was given any. What was delivered by an invlog that
  // did not note them has none.
  std::vector<DeliveredHead> heads_of(std::string_view destination);

  struct Delivered {
    std::int64_t last = 0;  // the new cursor
    std::int64_t records = 0, bytes = 0;
    std::string target;
    std::vector<DeadLetter> refused;  // record and reason
    std::vector<DeliveredObject> objects;
    std::optional<DeliveredHead> head;  // given with it
  };
  // After the destination's answer, in one transaction: cursor, figures, dead letters (each an
  // event row of kind "dead-letter" too), the plan gone, last_error cleared.
  void advance(std::string_view destination, const Delivered& delivered);
  // A failed attempt: counts a retry and keeps the error.
  void note_failure(std::string_view destination, std::string_view error, bool is_retry);
  // It has passed without a delivery. Another error, noted meanwhile, stays.
  void clear_failure(std::string_view destination, std::string_view error);
  // An event row (`kind`: "delivery-refused", ...; `details`: JSON object text or "").
  void add_event(std::string_view kind, std::string_view details);
  // Not if the newest event says just that: for what is tried again and again.
  void add_event_once(std::string_view kind, std::string_view details);
  // Pins an account that was unknown at the store's birth, with an event. False: another is pinned.
  bool pin_account(const std::string& account_id);

  // Dead letters. "" for every destination.
  std::vector<DeadLetter> dead_letters(std::string_view destination = "");
  std::optional<DeadLetter> dead_letter(std::int64_t id);
  std::int64_t count_dead_letters(std::string_view destination);
  // Asks for another attempt at these; returns how many there were.
  std::int64_t retry_dead_letters(const std::vector<std::int64_t>& ids);
  std::int64_t drop_dead_letters(const std::vector<std::int64_t>& ids);
  // Those to be tried again, oldest first.
  std::vector<DeadLetter> requested_retries(std::string_view destination, std::int64_t limit);
  // Before an attempt at them.
  void note_retry(std::string_view destination, const std::vector<DeadLetter>& letters,
                  std::string_view target);
  // An attempt's end: delivered ones go, refused ones stay with the new reason and retry = false.
  // last_error is cleared if any was delivered.
  // `objects`: what `destination` was given, and in how many `bytes`.
  void settle_retries(const std::vector<std::int64_t>& delivered,
                      const std::vector<DeadLetter>& refused, std::string_view destination,
                      std::string_view target, const std::vector<DeliveredObject>& objects = {},
                      std::int64_t bytes = 0);

  // Whether bodies were erased since event `since`; newest_event() gives such a number. What was
  // read of the store before an erasure must not be sent after it.
  std::int64_t newest_event();
  bool erased_since(std::int64_t since);

  // Undelivered records of a destination: how many, which costs nothing, or all about them. That
  // looks at each of them the first time, and at what has changed later.
  std::int64_t undelivered(std::string_view destination);
  Backlog backlog(std::string_view destination);
  // Asked by backlog() every few milliseconds; once it says true, backlog() throws StoreError.
  void give_up_when(std::function<bool()> given_up);

 private:
  class Implementation;
  explicit DeliveryLedger(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace invlog::storage
