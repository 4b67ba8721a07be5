#include "storage/delivery_ledger.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include "storage/reader.h"
#include "storage/store_error.h"
#include "storage/verify.h"
#include "tests/catch.h"
#include "tests/unit/storage/temporary_store.h"
#include "tests/unit/storage/unsynced_vfs.h"

using namespace invlog::storage;

namespace {

void fill_deliverable(const TemporaryStore& store, int records) {
  Writer writer(store.options());
  for (int i = 1; i <= records; ++i) {
    Record record = record_with("request " + std::to_string(i), "response");
    record.started_at_us = 1'000'000 * i;
    REQUIRE(submit_and_wait(writer, record));
  }
}

std::unique_ptr<DeliveryLedger> open_ledger(const TemporaryStore& store, std::int64_t now = 77) {
  auto ledger = DeliveryLedger::open(store.path(), "", [now] { return now; });
  REQUIRE(ledger.has_value());
  return std::move(*ledger);
}

DeliveryLedger::Delivered delivered_to(std::int64_t last, std::int64_t records = 1) {
  DeliveryLedger::Delivered delivered;
  delivered.last = last;
  delivered.records = records;
  delivered.bytes = 100;
  delivered.target = "s3://bucket";
  return delivered;
}

DeadLetter refusal(std::int64_t record, const std::string& reason) {
  DeadLetter letter;
  letter.record = record;
  letter.reason = reason;
  return letter;
}

mode_t mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777;
}

}  // namespace

TEST_CASE("A ledger keeps cursor, plan and figures over a restart") {
  TemporaryStore store;
  fill_deliverable(store, 10);
  {
    auto ledger = open_ledger(store);
    CHECK(ledger->states().empty());
    CHECK(ledger->state("s3").cursor == 0);
    CHECK(ledger->state("cloudwatch_logs", 4).cursor == 4);
    CHECK(ledger->state("cloudwatch_logs", 9).cursor == 4);  // only the first call makes the row
    ledger->put_plan("s3", 6, R"({"key":"a"})", "s3://bucket");
    ledger->note_failure("s3", "connection refused", false);
    ledger->note_failure("s3", "connection refused again", true);
  }
  {
    auto ledger = open_ledger(store, 78);
    const DeliveryState planned = ledger->state("s3");
    CHECK(planned.cursor == 0);
    CHECK(planned.planned_last == 6);
    CHECK(planned.plan == R"({"key":"a"})");
    CHECK(planned.retries == 1);
    CHECK(planned.last_error == "connection refused again");
    CHECK(planned.last_error_us == 77);
    CHECK(planned.last_success_us == 0);
    ledger->advance("s3", delivered_to(6, 6));
    ledger->put_plan("s3", 8, "x", "s3://bucket");
    ledger->drop_plan("s3");
  }
  auto ledger = open_ledger(store);
  REQUIRE(ledger->states().size() == 2);
  const DeliveryState state = ledger->states().back();
  CHECK(state.destination == "s3");
  CHECK(state.target == "s3://bucket");
  CHECK(state.cursor == 6);
  CHECK(state.planned_last == 0);
  CHECK(state.plan.empty());
  CHECK(state.delivered_records == 6);
  CHECK(state.delivered_batches == 1);
  CHECK(state.delivered_bytes == 100);
  CHECK(state.last_success_us == 78);
  CHECK(state.last_error.empty());
  CHECK(state.last_error_us == 0);
}

TEST_CASE("What is only refused is no success") {
  TemporaryStore store;
  fill_deliverable(store, 5);
  auto ledger = open_ledger(store, 78);
  ledger->advance("s3", delivered_to(2, 0));
  CHECK(ledger->state("s3").cursor == 2);
  CHECK(ledger->state("s3").last_success_us == 0);
  CHECK(ledger->state("s3").delivered_batches == 0);
  ledger->advance("s3", delivered_to(4, 2));
  CHECK(ledger->state("s3").last_success_us == 78);
  CHECK(ledger->state("s3").delivered_batches == 1);
}

TEST_CASE("A cursor never goes back, and never past the newest record") {
  TemporaryStore store;
  fill_deliverable(store, 5);
  auto ledger = open_ledger(store);
  ledger->advance("s3", delivered_to(4));
  ledger->advance("s3", delivered_to(2));
  CHECK(ledger->state("s3").cursor == 4);
  CHECK_THROWS_AS(ledger->advance("s3", delivered_to(6)), StoreError);
  CHECK_THROWS_AS(ledger->put_plan("s3", 6, "", ""), StoreError);
  CHECK(ledger->state("s3").cursor == 4);
  CHECK(ledger->state("s3").planned_last == 0);
}

TEST_CASE("What was in an attempt, and which record was the first, stays known") {
  TemporaryStore store;
  fill_deliverable(store, 10);
  const auto attempted = [&store](const std::string& destination) {
    return store.query("SELECT attempted FROM delivery_reach WHERE destination = '" + destination +
                       "'");
  };
  {
    auto ledger = open_ledger(store);
    CHECK_FALSE(ledger->first_record("s3").has_value());
    ledger->state("s3");
    ledger->state("cloudwatch_logs", 4);
    CHECK(ledger->first_record("s3") == 1);
    CHECK(ledger->first_record("cloudwatch_logs") == 5);
    ledger->note_attempt("cloudwatch_logs", 7, "group/stream");
    ledger->note_attempt("cloudwatch_logs", 6, "another");  // as after a search for poison
    CHECK_THROWS_AS(ledger->note_attempt("cloudwatch_logs", 11, ""), StoreError);
    ledger->put_plan("s3", 3, "{}", "s3://bucket");
    ledger->drop_plan("s3");
    CHECK(ledger->state("cloudwatch_logs").target == "group/stream");
    CHECK(ledger->state("cloudwatch_logs").planned_last == 0);
  }
  CHECK(attempted("cloudwatch_logs") == "7");
  CHECK(attempted("s3") == "3");
  CHECK(open_ledger(store)->first_record("cloudwatch_logs") == 5);
}

TEST_CASE("The head that each place was given last is noted with the delivery") {
  TemporaryStore store;
  fill_deliverable(store, 10);
  const auto heads = [](DeliveryLedger& ledger) {
    std::string all;
    for (const DeliveredHead& head : ledger.heads_of("s3")) {
      all += head.target + " " + head.folder + " " + std::to_string(head.segment) + "; ";
    }
    return all;
  };
  {
    auto ledger = open_ledger(store);
    ledger->advance("s3", delivered_to(2));
    CHECK(heads(*ledger).empty());
    DeliveryLedger::Delivered delivered = delivered_to(3);
    delivered.head = {"s3://bucket", "new/", 1};
    ledger->advance("s3", delivered);
    delivered.head = {"s3://bucket", "", 1};
    ledger->advance("s3", delivered);
    delivered.head->segment = 2;
    ledger->advance("s3", delivered);
    ledger->advance("s3", delivered);
    ledger->advance("cloudwatch_logs", delivered);
    ledger->advance("s3", delivered_to(5));
  }
  CHECK(heads(*open_ledger(store)) == "s3://bucket  2; s3://bucket new/ 1; ");
  store.tamper("DROP TABLE delivered_head");
  const auto reader = Reader::open(store.path());
  REQUIRE(reader.has_value());
  CHECK(heads(*DeliveryLedger::look((*reader)->connection())).empty());
}

TEST_CASE("The objects that a destination was given last are known, the newest first") {
  TemporaryStore store;
  fill_deliverable(store, 10);
  {
    auto ledger = open_ledger(store);
    DeliveryLedger::Delivered delivered = delivered_to(5);
    delivered.objects = {{"s3://bucket/a", 1, 2}, {"s3://bucket/b", 3, 5}};
    ledger->advance("s3", delivered);
    delivered = delivered_to(10);
    delivered.objects = {{"s3://bucket/c", 6, 10}};
    ledger->advance("s3", delivered);
    CHECK(ledger->newest_objects("s3", 2) ==
          std::vector<std::string>{"s3://bucket/c", "s3://bucket/b"});
    CHECK(ledger->newest_objects("s3", 9).size() == 3);
    CHECK(ledger->newest_objects("cloudwatch_logs", 9).empty());
  }
  store.tamper("DROP TABLE delivered_object");
  const auto reader = Reader::open(store.path());
  REQUIRE(reader.has_value());
  CHECK(DeliveryLedger::look((*reader)->connection())->newest_objects("s3", 9).empty());
}

TEST_CASE("The instance is the store's own and stays") {
  TemporaryStore a, b;
  fill_deliverable(a, 1);
  fill_deliverable(b, 1);
  const std::string instance = open_ledger(a)->instance();
  CHECK(instance.size() == 32);
  CHECK(instance.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(open_ledger(a)->instance() == instance);
  CHECK(open_ledger(b)->instance() != instance);
}

TEST_CASE("A store from before delivery gets its tables from whoever opens it first") {
  TemporaryStore store;
  fill_deliverable(store, 0);
  // Its first event cannot tell of an instance.
  store.tamper(
      "DELETE FROM segment; DELETE FROM chunk; UPDATE event SET details = json_remove(details, "
      "'$.instance')");
  fill_deliverable(store, 3);
  store.tamper(
      "DROP TABLE delivery; DROP TABLE dead_letter; DROP TABLE instance; "
      "DROP TABLE delivery_reach; DROP TABLE delivered_range; DROP TABLE delivered_head");
  SECTION("the ledger") {
    auto ledger = open_ledger(store);
    CHECK(ledger->state("s3").cursor == 0);
    CHECK(ledger->instance().size() == 32);
  }
  SECTION("the writer") {
    fill_deliverable(store, 1);
  }
  CHECK(store.query("SELECT count(*) FROM sqlite_schema WHERE name IN ('instance', 'delivery', "
                    "'dead_letter', 'delivery_reach', 'delivered_range', 'delivered_head')") ==
        "6");
  CHECK(store.query("PRAGMA user_version") == "1");
  CHECK(verify_store(store.path(), {}).problems.empty());
}

TEST_CASE("A store with delivery's first tables gets the indexes that came later") {
  TemporaryStore store;
  fill_deliverable(store, 3);
  const std::string indexes =
      "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name IN ('dead_letter_retry', "
      "'delivered_range_answered')";
  REQUIRE(store.query(indexes) == "2");
  store.tamper("DROP INDEX dead_letter_retry");
  open_ledger(store);
  CHECK(store.query(indexes) == "2");
  store.tamper("DROP INDEX delivered_range_answered");
  fill_deliverable(store, 1);
  CHECK(store.query(indexes) == "2");
}

TEST_CASE("Refused records become dead letters and events with the cursor's move") {
  TemporaryStore store;
  fill_deliverable(store, 10);
  auto ledger = open_ledger(store);
  DeliveryLedger::Delivered delivered = delivered_to(10, 7);
  delivered.refused = {refusal(3, "too large"), refusal(5, "\"odd\""), refusal(7, "too old")};
  ledger->advance("s3", delivered);
  delivered.refused = {refusal(3, "no")};
  ledger->advance("cloudwatch_logs", delivered);

  CHECK(ledger->count_dead_letters("") == 4);
  CHECK(ledger->count_dead_letters("s3") == 3);
  const std::vector<DeadLetter> letters = ledger->dead_letters("s3");
  REQUIRE(letters.size() == 3);
  CHECK(letters[0].record == 3);
  CHECK(letters[0].reason == "too large");
  CHECK(letters[0].at_us == 77);
  CHECK(!letters[0].retry);
  CHECK(ledger->dead_letters().size() == 4);
  CHECK(ledger->dead_letter(letters[1].id)->reason == "\"odd\"");
  CHECK(!ledger->dead_letter(999).has_value());
  CHECK(store.query("SELECT sum(count) FROM event WHERE kind = 'dead-letter'") == "4");
  CHECK(store.query("SELECT json_extract(details, '$.reason') FROM event WHERE "
                    "json_extract(details, '$.record') = 5") == "\"odd\"");

  // The same refusal once more (after a crash in between) is the same letter.
  ledger->advance("s3", [&] {
    DeliveryLedger::Delivered again = delivered_to(10);
    again.refused = {refusal(3, "still too large")};
    return again;
  }());
  CHECK(ledger->count_dead_letters("s3") == 3);
  CHECK(ledger->dead_letter(letters[0].id)->reason == "still too large");
}

TEST_CASE("Dead letters are tried again on request, and each end is an event") {
  TemporaryStore store;
  fill_deliverable(store, 10);
  auto ledger = open_ledger(store);
  DeliveryLedger::Delivered delivered = delivered_to(10, 6);
  delivered.refused = {refusal(1, "a"), refusal(2, "b"), refusal(3, "c"), refusal(4, "d")};
  ledger->advance("s3", delivered);
  const std::vector<DeadLetter> letters = ledger->dead_letters("s3");

  CHECK(ledger->requested_retries("s3", 10).empty());
  CHECK(ledger->retry_dead_letters({letters[0].id, letters[1].id, letters[2].id, 999}) == 3);
  CHECK(ledger->requested_retries("s3", 2).size() == 2);
  CHECK(ledger->requested_retries("cloudwatch_logs", 10).empty());
  std::vector<DeadLetter> wanted = ledger->requested_retries("s3", 10);
  REQUIRE(wanted.size() == 3);
  wanted[2].reason = "still no";
  wanted[2].at_us = 0;
  const DeliveryState before = ledger->state("s3");
  ledger->settle_retries({wanted[0].id, wanted[1].id}, {wanted[2]}, "s3", "s3://bucket", {}, 50);
  const DeliveryState after = ledger->state("s3");
  CHECK(after.delivered_records == before.delivered_records + 2);
  CHECK(after.delivered_batches == before.delivered_batches + 1);
  CHECK(after.delivered_bytes == before.delivered_bytes + 50);
  CHECK(ledger->requested_retries("s3", 10).empty());
  CHECK(ledger->count_dead_letters("s3") == 2);
  CHECK(ledger->dead_letter(letters[2].id)->reason == "still no");
  CHECK(ledger->dead_letter(letters[2].id)->at_us == 77);
  CHECK(store.query("SELECT count || details FROM event WHERE kind = 'dead-letters-delivered'") ==
        R"(2{"destination":"s3","records":[1,2]})");

  CHECK(ledger->drop_dead_letters({letters[0].id, letters[2].id, letters[3].id}) == 2);
  CHECK(ledger->drop_dead_letters({}) == 0);
  CHECK(ledger->count_dead_letters("") == 0);
  CHECK(store.query("SELECT count || details FROM event WHERE kind = 'dead-letters-dropped'") ==
        R"(2{"destination":"s3","records":[3,4]})");
  // A number that somebody wrote down never means another letter.
  delivered.refused = {refusal(9, "e")};
  ledger->advance("s3", delivered);
  CHECK(ledger->dead_letters("s3").front().id > letters.back().id);
}

TEST_CASE("An error goes with a dead letter that arrives, not with one that is refused again") {
  TemporaryStore store;
  fill_deliverable(store, 5);
  auto ledger = open_ledger(store);
  DeliveryLedger::Delivered delivered = delivered_to(5, 3);
  delivered.refused = {refusal(1, "a"), refusal(2, "b")};
  ledger->advance("s3", delivered);
  const std::vector<DeadLetter> letters = ledger->dead_letters("s3");
  ledger->note_failure("s3", "throttled", true);
  ledger->settle_retries({}, {letters[1]}, "s3", "s3://bucket");
  CHECK(ledger->state("s3").last_error == "throttled");
  CHECK(ledger->state("s3").last_error_us == 77);
  ledger->settle_retries({letters[0].id}, {}, "s3", "s3://bucket");
  CHECK(ledger->state("s3").last_error.empty());
  CHECK(ledger->state("s3").last_error_us == 0);
}

TEST_CASE("An error that has passed is cleared, and no other") {
  TemporaryStore store;
  fill_deliverable(store, 1);
  auto ledger = open_ledger(store);
  ledger->note_failure("s3", "not proven", false);
  ledger->note_failure("cloudwatch_logs", "not proven", false);
  ledger->clear_failure("s3", "reset by peer");
  CHECK(ledger->state("s3").last_error == "not proven");
  ledger->clear_failure("s3", "not proven");
  CHECK(ledger->state("s3").last_error.empty());
  CHECK(ledger->state("s3").last_error_us == 0);
  CHECK(ledger->state("cloudwatch_logs").last_error == "not proven");
}

TEST_CASE("A backlog counts what is undelivered, while both ends move") {
  TemporaryStore store;
  fill_deliverable(store, 10);
  auto ledger = open_ledger(store);
  const auto bytes = [&](int first) {
    return std::stoll(
        store.query("SELECT coalesce(sum(request_bytes + response_bytes), 0) FROM "
                    "record WHERE id >= " +
                    std::to_string(first)));
  };
  const auto check = [&](std::int64_t records, std::int64_t oldest_at_us, int first) {
    const Backlog backlog = ledger->backlog("s3");
    CHECK(backlog.records == records);
    CHECK(backlog.body_bytes == bytes(first));
    CHECK(backlog.oldest_at_us == oldest_at_us);
  };
  check(10, 1'000'000, 1);
  ledger->advance("s3", delivered_to(4));
  check(6, 5'000'000, 5);
  fill_deliverable(store, 5);
  check(11, 5'000'000, 5);
  ledger->advance("s3", delivered_to(15));
  check(0, 0, 16);
  fill_deliverable(store, 2);
  check(2, 1'000'000, 16);
  CHECK(ledger->backlog("cloudwatch_logs").records == 17);
}

TEST_CASE("A record has waited since its call ended, not since it began") {
  TemporaryStore store;
  {
    Writer writer(store.options());
    Record record = record_with("request", "response");
    record.started_at_us = 1'000'000;
    record.duration_us = 9'000'000;
    REQUIRE(submit_and_wait(writer, record));
  }
  CHECK(open_ledger(store)->backlog("s3").oldest_at_us == 10'000'000);
}

TEST_CASE("A backlog whose front retention took is not counted anew") {
  TemporaryStore store;
  fill_deliverable(store, 1);
  store.tamper(
      "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) INSERT "
      "INTO "
      "record(id, started_at, flags, request_bytes, response_bytes, checksum) SELECT i, i, 0, i % "
      "7, i % 5, 0 FROM n");
  auto reader = Reader::open(store.path());
  REQUIRE(reader.has_value());
  sqlite3* const connection = (*reader)->connection();
  auto ledger = DeliveryLedger::look(connection);
  std::int64_t steps = 0;
  constexpr int kInstructions = 100;
  sqlite3_progress_handler(
      connection, kInstructions,
      [](void* count) { return ++*static_cast<std::int64_t*>(count), 0; }, &steps);
  const auto check = [&](std::int64_t first, std::int64_t most_instructions) {
    steps = 0;
    const Backlog backlog = ledger->backlog("s3");
    INFO("instructions " << steps * kInstructions);
    CHECK(steps * kInstructions <= most_instructions);
    CHECK(backlog.records == 100'000 - first + 1);
    CHECK(backlog.body_bytes ==
          std::stoll(store.query("SELECT sum(request_bytes + response_bytes) FROM record")));
    CHECK(ledger->undelivered("s3") == backlog.records);
  };
  check(1, 10'000'000);
  const std::int64_t all = steps;
  for (const std::int64_t first : {101, 30'000, 90'000}) {
    store.tamper("DELETE FROM record WHERE id < " + std::to_string(first) +
                 "; UPDATE segment SET first_record = " + std::to_string(first));
    check(first, all * kInstructions / 4);
  }
  ledger->give_up_when([] { return true; });
  store.tamper("DELETE FROM record WHERE id < 95000; UPDATE segment SET first_record = 95000");
  CHECK_THROWS_AS(ledger->backlog("s3"), StoreError);
}

TEST_CASE("What is tried again and again is one event") {
  const TemporaryStore store;
  fill_deliverable(store, 1);
  const auto ledger = open_ledger(store);
  const auto events = [&] {
    return store.query("SELECT count(*) FROM event WHERE kind = 'configuration-refused'");
  };
  ledger->add_event_once("configuration-refused", R"({"reason":"a"})");
  ledger->add_event_once("configuration-refused", R"({"reason":"a"})");
  CHECK(events() == "1");
  ledger->add_event_once("configuration-refused", R"({"reason":"b"})");
  CHECK(events() == "2");
  ledger->add_event("delivery-refused", "");
  ledger->add_event_once("configuration-refused", R"({"reason":"b"})");
  CHECK(events() == "3");
}

TEST_CASE("A ledger's events are in the chain, whether an agent runs or not") {
  TemporaryStore store;
  fill_deliverable(store, 2);
  open_ledger(store)->add_event("delivery-refused", R"({"why":"elsewhere"})");
  {
    Writer writer(store.options());
    open_ledger(store)->add_event("delivery-refused", "");
    REQUIRE(submit_and_wait(writer, record_with("a", "b")));
    open_ledger(store)->add_event("delivery-refused", "");
  }
  CHECK(store.query(
            "SELECT count(*) FROM event WHERE id > (SELECT max(last_event) FROM segment)") == "0");
  CHECK(verify_store(store.path(), {}).problems.empty());
  const std::string id = store.query("SELECT min(id) FROM event WHERE kind = 'delivery-refused'");
  store.tamper("UPDATE event SET details = NULL WHERE id = " + id);
  CHECK(!verify_store(store.path(), {}).problems.empty());
}

TEST_CASE("An account that a delivery learns is pinned once") {
  TemporaryStore store;
  WriterOptions options = store.options();
  options.account_id = "";
  { Writer writer(options); }
  auto ledger = open_ledger(store);
  CHECK(ledger->pin_account("111122223333"));
  CHECK(ledger->pin_account("111122223333"));
  CHECK(!ledger->pin_account("999999999999"));
  CHECK(!ledger->pin_account(""));
  CHECK(store.query("SELECT account_id FROM store") == "111122223333");
  CHECK(store.query("SELECT count(*) FROM event WHERE kind = 'account-pinned'") == "1");
  options.account_id = "999999999999";
  CHECK_THROWS_AS(Writer(options), StoreError);
}

TEST_CASE("A ledger refuses what is no store, and says why") {
  TemporaryStore store;
  const auto refused = [&] {
    const auto opened = DeliveryLedger::open(store.path());
    return opened ? std::string() : opened.error();
  };
  CHECK(refused().find("No such file") != std::string::npos);
  SECTION("another database") {
    store.tamper("CREATE TABLE t(x)");
    CHECK(refused().find("not an invlog store") != std::string::npos);
    CHECK(store.query("SELECT count(*) FROM sqlite_schema") == "1");
  }
  SECTION("no database") {
    store.tamper("CREATE TABLE t(x)");
    std::filesystem::resize_file(store.path(), 100);
    CHECK(refused().find("cannot read it") != std::string::npos);
  }
  SECTION("a newer format") {
    fill_deliverable(store, 1);
    store.tamper("PRAGMA user_version = 2");
    CHECK(refused().find("version 2") != std::string::npos);
  }
}

TEST_CASE("What a ledger and its lock leave behind is the owner's alone") {
  TemporaryStore store;
  fill_deliverable(store, 1);
  auto ledger = open_ledger(store);
  ledger->state("s3");
  const auto lock = try_delivery_lock(store.path(), "s3");
  CHECK(mode_of(store.path()) == 0600);
  CHECK(mode_of(store.path() + "-wal") == 0600);
  CHECK(mode_of(store.path() + "-ship-s3") == 0600);
}

TEST_CASE("A destination's lock is held once, another's is free") {
  TemporaryStore store;
  fill_deliverable(store, 1);
  auto held = try_delivery_lock(store.path(), "s3");
  REQUIRE(held != nullptr);
  CHECK(try_delivery_lock(store.path(), "s3") == nullptr);
  CHECK(try_delivery_lock(store.path(), "cloudwatch_logs") != nullptr);
  held.reset();
  CHECK(try_delivery_lock(store.path(), "s3") != nullptr);
  CHECK_THROWS_AS(try_delivery_lock(store.directory() / "missing" / "x.db", "s3"), StoreError);
}

TEST_CASE("A ledger that cannot write throws, and nothing of the attempt is left") {
  UnsyncedVfs& vfs = UnsyncedVfs::instance();
  vfs.clear();
  TemporaryStore store;
  fill_deliverable(store, 10);
  auto opened = DeliveryLedger::open(store.path(), vfs.name());
  REQUIRE(opened.has_value());
  std::unique_ptr<DeliveryLedger> owned = std::move(*opened);
  DeliveryLedger& ledger = *owned;
  ledger.advance("s3", delivered_to(2));
  ledger.put_plan("s3", 5, "plan", "s3://bucket");
  const int fault = GENERATE(SQLITE_FULL, SQLITE_IOERR_WRITE);
  vfs.fail_writes(fault);
  DeliveryLedger::Delivered more = delivered_to(5);
  more.refused = {refusal(4, "no")};
  CHECK_THROWS_AS(ledger.advance("s3", more), StoreError);
  CHECK_THROWS_AS(ledger.note_failure("s3", "x", true), StoreError);
  CHECK_THROWS_AS(ledger.add_event("delivery-refused", ""), StoreError);
  const DeliveryState kept = ledger.state("s3");
  CHECK(kept.cursor == 2);
  CHECK(kept.plan == "plan");
  CHECK(ledger.count_dead_letters("s3") == 0);
  vfs.fail_writes(0);
  ledger.advance("s3", more);
  CHECK(ledger.state("s3").cursor == 5);
  CHECK(ledger.count_dead_letters("s3") == 1);
  owned.reset();
  vfs.clear();
  CHECK(store.query("SELECT count(*) FROM event WHERE kind = 'dead-letter'") == "1");
}
