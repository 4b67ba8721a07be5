#include "storage/verify.h"

#include <filesystem>
#include <fstream>
#include <random>

#include "storage/reader.h"
#include "storage/store_error.h"
#include "tests/catch.h"
#include "tests/sanitized.h"
#include "tests/unit/storage/temporary_store.h"

using namespace invlog::storage;

namespace {

constexpr std::int64_t kRecords = 40;

Record record_number(std::int64_t id) {
  Record record = full_record();
  record.request_id = "0f9d5a3e-1c55-4d0e-9a51-6a2a2f4b" + std::to_string(1000 + id);
  record.input_tokens = id;
  record.request.bytes =
      prose(4000, 1) + noise(300, static_cast<std::uint64_t>(id)) + prose(3000, 2);
  record.response.bytes = prose(500, static_cast<std::uint64_t>(id));
  return record;
}

void fill(const TemporaryStore& store) {
  WriterOptions options = store.options();
  options.segment_bytes = 8 * 1024;
  Writer writer(options);
  for (std::int64_t id = 1; id <= kRecords; ++id) {
    submit_and_wait(writer, record_number(id));
  }
}

std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool reported(const TemporaryStore& store, const std::string& where) {
  for (const VerifyProblem& problem : verify_store(store.path(), {}).problems) {
    if (problem.where == where) {
      return true;
    }
  }
  return false;
}

// Whether every record reads as it was written; `silently` if one reads differently without an
// error.
struct Reading {
  bool same = true;
  bool wrong_body = false;
};

Reading read_all(const std::string& path) {
  Reading reading;
  auto reader = Reader::open(path);
  if (!reader) {
    reading.same = false;
    return reading;
  }
  for (std::int64_t id = 1; id <= kRecords; ++id) {
    try {
      const auto stored = (*reader)->find(id, Bodies::both);
      const Record expected = record_number(id);
      if (!stored) {
        reading.same = false;
        continue;
      }
      reading.same = reading.same && same_record(stored->record, expected);
      reading.wrong_body = reading.wrong_body ||
                           stored->record.request.bytes != expected.request.bytes ||
                           stored->record.response.bytes != expected.response.bytes;
    } catch (const StoreError&) {
      reading.same = false;
    }
  }
  return reading;
}

}  // namespace

TEST_CASE("A whole store verifies") {
  TemporaryStore store;
  fill(store);
  std::uint64_t calls = 0;
  const VerifyReport report =
      verify_store(store.path(), [&calls](std::uint64_t, std::uint64_t) { ++calls; });
  CHECK(report.problems.empty());
  CHECK(report.records == kRecords);
  CHECK(report.segments > 2);
  CHECK(report.closed_segments == report.segments);
  CHECK(calls == report.segments);
  CHECK(report.chain_head.size() == 64);
  CHECK(report.body_bytes == kRecords * 7800);
  CHECK_THROWS_AS(verify_store(store.path() + ".missing", {}), StoreError);
}

TEST_CASE("What was changed in a closed segment is found") {
  TemporaryStore store;
  fill(store);
  const std::string segment =
      "segment " + store.query("SELECT max(id) FROM segment WHERE first_record <= 5");
  const auto after = [&](const std::string& sql) {
    store.tamper(sql);
    return reported(store, segment);
  };
  SECTION("a number") {
    CHECK(after("UPDATE record SET input_tokens = 0 WHERE id = 5"));
  }
  SECTION("a time") {
    CHECK(after("UPDATE record SET started_at = started_at + 1 WHERE id = 5"));
  }
  SECTION("a label") {
    store.tamper("UPDATE label SET text = 'someone-else' WHERE text = 'www-data'");
    CHECK(reported(store, "segment 1"));
  }
  SECTION("a record removed") {
    CHECK(after("DELETE FROM record WHERE id = 5"));
  }
  SECTION("records that changed places") {
    CHECK(
        after("UPDATE record SET id = 1000 WHERE id = 5; UPDATE record SET id = 5 WHERE id = 6; "
              "UPDATE record SET id = 6 WHERE id = 1000"));
  }
  SECTION("a record added") {
    store.tamper(
        "INSERT INTO record(id, started_at, flags, request_bytes, response_bytes, checksum) "
        "VALUES (1000, 1, 0, 0, 0, 0)");
    CHECK(reported(store, "records"));
  }
  SECTION("a chunk removed") {
    CHECK(after("DELETE FROM chunk WHERE id >> 24 = " + segment.substr(8)));
  }
  SECTION("a chunk added") {
    store.tamper("INSERT INTO chunk(id, bytes) VALUES (99 << 24, x'00')");
    CHECK(reported(store, "chunks"));
  }
  SECTION("a segment's own row") {
    CHECK(after("UPDATE segment SET closed_at = closed_at + 1 WHERE id = " + segment.substr(8)));
  }
  SECTION("a digest") {
    CHECK(after("UPDATE segment SET digest = zeroblob(32) WHERE id = " + segment.substr(8)));
  }
  SECTION("a segment removed with all that belongs to it") {
    const std::string id = segment.substr(8);
    store.tamper(
        "DELETE FROM record WHERE id BETWEEN (SELECT first_record FROM segment WHERE id = " + id +
        ") AND (SELECT last_record FROM segment WHERE id = " + id +
        "); DELETE FROM chunk WHERE id >> 24 = " + id + "; DELETE FROM segment WHERE id = " + id);
    CHECK(!verify_store(store.path(), {}).problems.empty());
  }
  SECTION("the list of request ids") {
    CHECK(after("UPDATE segment SET request_keys = x'' WHERE id = " + segment.substr(8)));
  }
  SECTION("the pin") {
    store.tamper("UPDATE store SET region = 'eu-west-1'");
    CHECK(reported(store, "store"));
  }
}

TEST_CASE("A view that shows less than is recorded is found, and so is what is not ours",
          "[verify]") {
  TemporaryStore store;
  fill(store);
  const std::string view = store.query("SELECT sql FROM sqlite_schema WHERE name = 'invocations'");
  SECTION("a view that hides a record") {
    store.tamper("DROP VIEW invocations; " + view + " WHERE id <> 3");
    CHECK(reported(store, "store"));
    { Writer writer(store.options()); }
    CHECK(!reported(store, "store"));
  }
  SECTION("a table in its place") {
    store.tamper(
        "CREATE TABLE copy AS SELECT * FROM invocations; DROP VIEW invocations; ALTER "
        "TABLE copy RENAME TO invocations");
    CHECK(reported(store, "store"));
  }
  SECTION("the view of before CloudTrail was asked, in a store of after it") {
    std::string before = view;
    const std::size_t at = before.find("coalesce("), comma = before.find(",\n           (SELECT");
    const std::size_t end = before.find(" AS inference_region");
    REQUIRE((at < comma && comma < end && end != std::string::npos));
    before.replace(comma, end - comma, "");
    before.erase(at, 9);
    const std::string line =
        "  (SELECT text FROM label WHERE label.id = destinations) AS destinations,\n";
    before.erase(before.find(line), line.size());
    const std::size_t time = before.find("strftime("), after_time = before.find(" AS started_at");
    before.replace(time, after_time - time,
                   "strftime('%Y-%m-%dT%H:%M:%fZ', started_at / 1000000.0, 'unixepoch')");
    store.tamper("DROP VIEW invocations; " + before);
    CHECK(reported(store, "store"));
    store.tamper("DROP TABLE trail; ALTER TABLE record DROP COLUMN destinations");
    CHECK(!reported(store, "store"));
  }
  SECTION("a trigger") {
    store.tamper("CREATE TRIGGER forget AFTER INSERT ON event BEGIN DELETE FROM event; END");
    CHECK(reported(store, "store"));
  }
  SECTION("another view") {
    store.tamper("CREATE VIEW mine AS SELECT 1");
    CHECK(reported(store, "store"));
  }
  SECTION("an index and statistics of one's own") {
    store.tamper("CREATE INDEX mine ON record(started_at); ANALYZE");
    CHECK(verify_store(store.path(), {}).problems.empty());
  }
}

TEST_CASE("No flipped byte gives a wrong body, and whatever it changes is reported", "[long]") {
  TemporaryStore store;
  fill(store);
  const std::string original = contents(store.path());
  const std::string damaged_path = store.directory() / "damaged.db";
  std::mt19937_64 random(3);
  int noticed = 0;
  constexpr int kFlips = invlog::tests::kSanitized ? 60 : 200;
  for (int i = 0; i < kFlips; ++i) {
    std::string damaged = original;
    const std::size_t at = random() % damaged.size();
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << random() % 8));
    std::ofstream(damaged_path, std::ios::binary | std::ios::trunc) << damaged;
    INFO("byte " << at);
    const Reading reading = read_all(damaged_path);
    CHECK(!reading.wrong_body);
    bool found = false;
    try {
      found = !verify_store(damaged_path, {}).problems.empty();
    } catch (const StoreError&) {
      found = true;
    }
    CHECK((reading.same || found));
    noticed += found ? 1 : 0;
  }
  // What is left are empty tables' pages and the ends of others.
  CHECK(noticed > kFlips / 4);
}

TEST_CASE("A record is found by its request id, the newest of equals first") {
  TemporaryStore store;
  fill(store);
  {
    Writer writer(store.options());
    Record again = record_number(7);
    again.response.bytes = "again";
    submit_and_wait(writer, again);
    Record odd = record_number(50);
    odd.request_id = "req_ABC";
    submit_and_wait(writer, odd);
    // While the segment is open, and after it was closed.
    auto reader = Reader::open(store.path());
    CHECK((*reader)->find_by_request_id(again.request_id, Bodies::both)->id == kRecords + 1);
    CHECK((*reader)->find_by_request_id("req_ABC", Bodies::both)->id == kRecords + 2);
  }
  auto reader = Reader::open(store.path());
  for (std::int64_t id = 1; id <= kRecords; ++id) {
    const auto found = (*reader)->find_by_request_id(record_number(id).request_id, Bodies::none);
    REQUIRE(found.has_value());
    CHECK(found->id == (id == 7 ? kRecords + 1 : id));
  }
  CHECK((*reader)->find_by_request_id("req_ABC", Bodies::none)->id == kRecords + 2);
  CHECK(!(*reader)->find_by_request_id("req_ABD", Bodies::none).has_value());
  CHECK(!(*reader)->find_by_request_id("", Bodies::none).has_value());
}

namespace {

// SQL that changes one thing of a closed segment, whatever it is.
std::vector<std::string> tampering(const TemporaryStore& store) {
  std::vector<std::string> all;
  const auto columns = [&](const std::string& table) {
    const std::string list =
        store.query("SELECT group_concat(name) FROM pragma_table_info('" + table + "')");
    std::vector<std::string> names;
    for (std::size_t at = 0; at <= list.size();) {
      const std::size_t end = std::min(list.find(',', at), list.size());
      names.push_back(list.substr(at, end - at));
      at = end + 1;
    }
    return names;
  };
  // `row`: which one. A value that no row has, of each type that a column may take.
  const auto each_column = [&](const std::string& table, const std::string& row) {
    for (const std::string& column : columns(table)) {
      const std::string type = store.query("SELECT type FROM pragma_table_info('" + table +
                                           "') WHERE name = '" + column + "'");
      const char* const value = type == "INTEGER" ? "987654" : type == "TEXT" ? "'x'" : "x'78'";
      all.push_back("UPDATE " + table + " SET " + column + " = " + value + " WHERE id = " + row);
      if (store.query("SELECT \"notnull\" FROM pragma_table_info('" + table + "') WHERE name = '" +
                      column + "'") == "0" &&
          column != "id" &&
          store.query("SELECT " + column + " IS NULL FROM " + table + " WHERE id = " + row) ==
              "0") {
        all.push_back("UPDATE " + table + " SET " + column + " = NULL WHERE id = " + row);
      }
    }
    all.push_back("DELETE FROM " + table + " WHERE id = " + row);
  };
  each_column("record", "5");
  each_column("label", "2");
  each_column("event", "1");
  each_column("segment", "2");
  each_column("chunk", "(2 << 24)");
  for (const char* sql : {
           "UPDATE chunk SET bytes = CAST(substr(bytes, 1, 9) || x'ff' || substr(bytes, 11) AS "
           "BLOB) "
           "WHERE id = (2 << 24)",
           "UPDATE record SET id = 0 WHERE id = 5; UPDATE record SET id = 5 WHERE id = 6; UPDATE "
           "record SET id = 6 WHERE id = 0",
           "INSERT INTO event(id, at, kind) VALUES (-1, 1, 'started')",
           "INSERT INTO record(id, started_at, flags, request_bytes, response_bytes, checksum) "
           "VALUES (0, 1, 0, 0, 0, 0)",
           "UPDATE label SET id = id + 1000 WHERE id = 2",
           "UPDATE store SET created_at = '2020-01-01T00:00:00Z'",
           "UPDATE store SET account_id = '999988887777'",
           "UPDATE store SET host = 'another'",
           "DELETE FROM segment WHERE id = (SELECT max(id) FROM segment)",
           "UPDATE segment SET closed_at = NULL WHERE id = 2",
           "INSERT INTO delivery(destination, cursor) VALUES ('s3', 1000)",
           "INSERT INTO delivery(destination, cursor, planned_last) VALUES ('s3', 1, 1000)",
       }) {
    all.emplace_back(sql);
  }
  return all;
}

}  // namespace

TEST_CASE("Each column of each table in the chain is covered", "[verify]") {
  TemporaryStore store;
  {
    WriterOptions options = store.options();
    options.segment_bytes = 2 * 1024;
    Writer writer(options);
    writer.record_event("started", "{}");
    for (std::int64_t id = 1; id <= 8; ++id) {
      Record record = full_record();
      record.input_tokens = id;
      record.destinations = "eu-central-1";
      record.request.bytes = noise(900, static_cast<std::uint64_t>(id));
      submit_and_wait(writer, record);
    }
  }
  REQUIRE(verify_store(store.path(), {}).problems.empty());
  REQUIRE(store.query("SELECT max(id) > 2 FROM segment") == "1");
  const std::string original = contents(store.path());
  const std::vector<std::string> all = tampering(store);
  CHECK(all.size() > 80);
  for (const std::string& sql : all) {
    INFO(sql);
    store.tamper(sql);
    CHECK(!verify_store(store.path(), {}).problems.empty());
    std::filesystem::remove(store.path() + "-wal");
    std::filesystem::remove(store.path() + "-shm");
    std::ofstream(store.path(), std::ios::binary | std::ios::trunc) << original;
  }
  CHECK(verify_store(store.path(), {}).problems.empty());
}

TEST_CASE("A store that was put back or cut off shows against a head kept elsewhere", "[verify]") {
  TemporaryStore store;
  const auto write = [&](std::int64_t from, std::int64_t to) {
    Writer writer(store.options());
    for (std::int64_t id = from; id <= to; ++id) {
      submit_and_wait(writer, record_number(id));
    }
  };
  const auto head = [&] {
    const VerifyReport report = verify_store(store.path(), {});
    CHECK(report.problems.empty());
    return KnownHead{report.chain_segment, from_hex(report.chain_head).value(), "a copy"};
  };
  const auto problems = [&](const KnownHead& known) {
    std::string text;
    for (const VerifyProblem& problem : verify_store(store.path(), {}, {known}).problems) {
      text += problem.where + ": " + problem.what + "\n";
    }
    return text;
  };
  write(1, 3);
  const KnownHead first = head();
  const std::string old = contents(store.path());
  write(4, 6);
  const KnownHead second = head();
  CHECK(second.segment > first.segment);
  CHECK(problems(first).empty());
  CHECK(problems(second).empty());
  SECTION("an older copy of the file") {
    std::ofstream(store.path(), std::ios::binary | std::ios::trunc) << old;
    // Honestly: by itself it is whole.
    CHECK(verify_store(store.path(), {}).problems.empty());
    CHECK(problems(first).empty());
    CHECK_THAT(problems(second), contains_text("rolled back to an older state"));
    // The agent goes on, and comes as far as before.
    write(14, 16);
    CHECK(verify_store(store.path(), {}).problems.empty());
    CHECK_THAT(problems(second), contains_text("rolled back and went on"));
  }
  SECTION("a tail that was cut off cleanly") {
    const std::string last = std::to_string(second.segment);
    store.tamper(
        "DELETE FROM record WHERE id >= (SELECT first_record FROM segment WHERE id = " + last +
        "); DELETE FROM chunk WHERE id >> 24 = " + last +
        "; DELETE FROM event WHERE id > (SELECT last_event FROM segment WHERE id = " + last +
        " - 1); DELETE FROM label WHERE id > (SELECT last_label FROM segment WHERE "
        "id = " +
        last + " - 1); DELETE FROM segment WHERE id = " + last);
    CHECK(verify_store(store.path(), {}).problems.empty());
    CHECK_THAT(problems(second), contains_text("rolled back to an older state"));
  }
}
