#include "storage/reader.h"

#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <thread>

#include "storage/delivery_ledger.h"
#include "storage/store_error.h"
#include "storage/store_file.h"
#include "tests/catch.h"
#include "tests/unit/storage/temporary_store.h"

using namespace invlog::storage;

namespace {

std::string request_number(std::int64_t id) {
  return noise(3000, static_cast<std::uint64_t>(id));
}

void append(Writer& writer, std::int64_t first, std::int64_t last) {
  for (std::int64_t id = first; id <= last; ++id) {
    REQUIRE(submit_and_wait(writer, record_with(request_number(id), "")));
  }
}

void fill_segments(const TemporaryStore& store, std::int64_t records, std::size_t segment_bytes) {
  WriterOptions options = store.options();
  options.segment_bytes = segment_bytes;
  Writer writer(options);
  append(writer, 1, records);
}

// For a long drain: one segment, and next to no pages of SQLite, so that what is in the file
// counts.
std::unique_ptr<Reader> open_reader(const TemporaryStore& store) {
  auto reader = Reader::open(store.path(), ReaderOptions{1, 0});
  REQUIRE(reader.has_value());
  return std::move(*reader);
}

// Reads `count` records from `first` on and checks each.
void read(Reader& reader, std::int64_t first, std::int64_t count) {
  std::int64_t next = first;
  reader.each(first, Bodies::both, [&](StoredRecord& stored) {
    CHECK(stored.id == next);
    CHECK((stored.record.request.bytes == request_number(stored.id)));
    return ++next < first + count;
  });
  CHECK(next == first + count);
}

struct Found {
  std::set<std::int64_t> whole, damaged;
  std::string why;
};

Found read_around_damage(Reader& reader) {
  Found found;
  reader.each(
      1, Bodies::both,
      [&](StoredRecord& stored) {
        CHECK((stored.record.request.bytes == request_number(stored.id)));
        REQUIRE(found.whole.insert(stored.id).second);
        return true;
      },
      [&](std::int64_t id, const std::string& why) {
        REQUIRE(found.damaged.insert(id).second);
        found.why = why;
        return true;
      });
  return found;
}

// While this lives, no file grows behind a page: as on a full disk, SQLite gets no shared memory.
class FullDisk {
 public:
  FullDisk() : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &limit_) == 0);
    rlimit small = limit_;
    small.rlim_cur = 4096;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &limit_);
    std::signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  void (*handler_)(int);
  rlimit limit_{};
};

// Whether somebody's snapshot keeps the write-ahead log from being emptied. The writer is in the
// way too, but for moments.
bool log_is_held(const TemporaryStore& store) {
  for (int look = 0; look < 100; ++look) {
    if (store.query("PRAGMA wal_checkpoint(TRUNCATE)") == "0") {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

}  // namespace

TEST_CASE("What is no regular file is no store, and is not waited for") {
  const TemporaryStore store;
  REQUIRE(::mkfifo(store.path().c_str(), 0600) == 0);
  const auto reader = Reader::open(store.path());
  REQUIRE(!reader.has_value());
  CHECK(reader.error().find("no regular file") != std::string::npos);
}

TEST_CASE("Reading on in batches does not decode a segment again") {
  TemporaryStore store;
  fill_segments(store, 20, 1 << 20);
  auto reader = open_reader(store);
  read(*reader, 1, 5);
  // Whoever reads from the segment's start again now fails.
  store.tamper("UPDATE chunk SET bytes = zeroblob(4057) WHERE id & 0xffffff = 0");
  read(*reader, 6, 5);
  read(*reader, 11, 10);
  CHECK_THROWS_AS(open_reader(store)->find(20, Bodies::both), StoreError);
  reader->release_memory();
  CHECK_THROWS_AS(reader->find(20, Bodies::both), StoreError);
}

TEST_CASE("An open segment is read on as it grows, and as it closes") {
  TemporaryStore store;
  auto writer = std::make_unique<Writer>(store.options());
  append(*writer, 1, 5);
  auto reader = open_reader(store);
  read(*reader, 1, 5);
  store.tamper("UPDATE chunk SET bytes = zeroblob(4057) WHERE id & 0xffffff = 0");
  for (std::int64_t id = 6; id <= 12; ++id) {
    append(*writer, id, id);
    read(*reader, id, 1);
  }
  append(*writer, 13, 14);
  writer->stop();
  read(*reader, 13, 2);
}

TEST_CASE("A stream that was replaced under a reader is read anew") {
  TemporaryStore store, other;
  const auto fill_shifted = [](const TemporaryStore& target, std::int64_t shift) {
    Writer writer(target.options());
    for (std::int64_t id = 1; id <= 10; ++id) {
      REQUIRE(submit_and_wait(writer, record_with(request_number(id + shift), "")));
    }
  };
  fill_shifted(store, 0);
  fill_shifted(other, 1000);
  auto reader = open_reader(store);
  read(*reader, 1, 3);
  store.tamper(
      "ATTACH '" + other.path() +
      "' AS o; BEGIN; DELETE FROM chunk; DELETE FROM segment; DELETE FROM record;"
      "INSERT INTO chunk SELECT * FROM o.chunk; INSERT INTO segment SELECT * FROM o.segment;"
      "CREATE TEMP TABLE r AS SELECT id, checksum FROM o.record; COMMIT");
  CHECK(reader->last_id() == 0);
  store.tamper(
      "ATTACH '" + other.path() +
      "' AS o; INSERT INTO record(id, started_at, flags, request_bytes, response_bytes, "
      "checksum) SELECT id, started_at, flags, request_bytes, response_bytes, checksum FROM "
      "o.record");
  for (std::int64_t id = 6; id <= 10; ++id) {
    CHECK((reader->find(id, Bodies::both)->record.request.bytes == request_number(id + 1000)));
  }
}

TEST_CASE("A damaged body is reported by id, and reading goes on behind it") {
  TemporaryStore store;
  fill_segments(store, 40, 24 * 1024);
  auto reader = open_reader(store);
  SECTION("one record") {
    store.tamper("UPDATE record SET checksum = checksum + 1 WHERE id IN (7, 40)");
    const Found found = read_around_damage(*reader);
    CHECK(found.damaged == std::set<std::int64_t>{7, 40});
    CHECK(found.whole.size() == 38);
    CHECK(found.why.find("record 40") != std::string::npos);
    CHECK(found.why.find("checksum") != std::string::npos);
  }
  SECTION("a segment from its middle on") {
    const std::int64_t first =
        std::stoll(store.query("SELECT first_record FROM segment WHERE id = 2"));
    const std::int64_t last =
        std::stoll(store.query("SELECT last_record FROM segment WHERE id = 2"));
    REQUIRE(last - first >= 4);
    store.tamper("UPDATE chunk SET bytes = zeroblob(4057) WHERE id = (2 << 24) + 3");
    const Found found = read_around_damage(*reader);
    CHECK(found.whole.size() + found.damaged.size() == 40);
    // What lies before the damage is there: three chunks hold three records of 3,000 bytes.
    CHECK(*found.damaged.begin() >= first + 3);
    CHECK(*found.damaged.rbegin() == last);
    CHECK(found.damaged.size() <= static_cast<std::size_t>(last - first - 2));
    CHECK(found.why.find("segment 2") != std::string::npos);
  }
  SECTION("a chunk that is missing") {
    store.tamper("DELETE FROM chunk WHERE id = (2 << 24)");
    CHECK(read_around_damage(*reader).damaged.size() > 3);
  }
  SECTION("a chunk that is too short") {
    store.tamper("UPDATE chunk SET bytes = substr(bytes, 1, 4000) WHERE id = (2 << 24) + 1");
    CHECK(read_around_damage(*reader).damaged.size() > 3);
  }
  SECTION("whoever does not ask for damage gets it thrown") {
    store.tamper("UPDATE record SET checksum = checksum + 1 WHERE id = 7");
    std::int64_t seen = 0;
    CHECK_THROWS_AS(reader->each(1, Bodies::both,
                                 [&](StoredRecord& stored) {
                                   seen = stored.id;
                                   return true;
                                 }),
                    StoreError);
    CHECK(seen == 6);
  }
  SECTION("it may stop there") {
    store.tamper("UPDATE record SET checksum = checksum + 1 WHERE id = 7");
    std::int64_t stopped = 0;
    reader->each(
        1, Bodies::both,
        [&](StoredRecord& stored) {
          CHECK(stored.id < 7);
          return true;
        },
        [&](std::int64_t id, const std::string&) {
          stopped = id;
          return false;
        });
    CHECK(stopped == 7);
  }
}

TEST_CASE("What a visitor throws is no damage") {
  TemporaryStore store;
  fill_segments(store, 3, 1 << 20);
  auto reader = open_reader(store);
  CHECK_THROWS_AS(
      reader->each(
          1, Bodies::both, [](StoredRecord&) -> bool { throw StoreError("the ledger's, say"); },
          [](std::int64_t, const std::string&) {
            FAIL("taken for damage");
            return true;
          }),
      StoreError);
}

TEST_CASE("Rows on a damaged page are reported, and those behind it are read") {
  TemporaryStore store;
  fill_marked(store);
  damage_page_of(store, "number-150-");
  auto reader = open_reader(store);
  const Found found = read_around_damage(*reader);
  CHECK(found.damaged.count(150) == 1);
  CHECK(found.damaged.size() < 60);
  CHECK(found.whole.size() + found.damaged.size() == 300);
}

TEST_CASE("What retention takes meanwhile is passed over before a damaged page, too") {
  TemporaryStore store;
  fill_marked(store);
  auto reader = open_reader(store);
  std::set<std::int64_t> found, damaged;
  reader->each(
      1, Bodies::none,
      [&](StoredRecord& stored) {
        if (found.empty()) {
          store.tamper(
              "PRAGMA secure_delete = ON; DELETE FROM record WHERE id < 150; UPDATE segment SET "
              "first_record = 150; PRAGMA wal_checkpoint(TRUNCATE)");
          damage_page_of(store, "number-150-");
        }
        found.insert(stored.id);
        return true;
      },
      [&](std::int64_t id, const std::string&) {
        damaged.insert(id);
        return true;
      });
  REQUIRE(damaged.count(150) == 1);
  CHECK(*damaged.begin() == 150);
  CHECK(found.size() + damaged.size() == 152);
}

TEST_CASE("Rows that come with smaller numbers than asked for are damage, and reading ends") {
  TemporaryStore store;
  fill_marked(store);
  repeat_a_page_twice(store);
  auto reader = open_reader(store);
  const Found found = read_around_damage(*reader);
  CHECK(found.damaged.count(150) == 1);
  CHECK(found.damaged.size() < 120);
  CHECK(*found.whole.rbegin() == 300);
  CHECK_THROWS_WITH(reader->each(1, Bodies::both, [](StoredRecord&) { return true; }),
                    contains_text("rows are out of order"));
}

TEST_CASE("A reader does not hold the write-ahead log while records are visited") {
  TemporaryStore store;
  WriterOptions options = store.options();
  options.commit_interval = std::chrono::milliseconds(1);
  Writer writer(options);
  append(writer, 1, 600);
  auto reader = open_reader(store);
  std::int64_t visited = 0;
  reader->each(1, Bodies::both, [&](StoredRecord& stored) {
    CHECK(stored.id == ++visited);
    if (visited % 100 == 1) {
      append(writer, 601 + visited / 100, 601 + visited / 100);
      CHECK(!log_is_held(store));
    }
    return true;
  });
  CHECK(visited == 600);  // and not those that came meanwhile: it would never end beside a writer
  read(*reader, 601, 6);
  reader->find(12, Bodies::both);
  reader->last_id();
  CHECK(!log_is_held(store));
}

TEST_CASE("On a full disk a store is read that has no log, and else it is said where it is") {
  TemporaryStore store, with_log;
  fill_segments(store, 3, 1 << 20);
  {
    Writer writer(store.options());
    append(writer, 4, 4);
    std::filesystem::copy_file(store.path(), with_log.path());
    std::filesystem::copy_file(store.path() + "-wal", with_log.path() + "-wal");
  }
  const auto open = [](const TemporaryStore& from) {
    const FullDisk full;
    return Reader::open(from.path());
  };
  const auto refused = open(with_log);
  REQUIRE_FALSE(refused.has_value());
  CHECK_THAT(refused.error(),
             contains_text("cannot read it: disk I/O error (No space left on device). Its newest "
                           "records are in its log (" +
                           with_log.path() + "-wal)"));
  const auto reader = open(store);
  REQUIRE(reader.has_value());
  read(**reader, 1, 4);
}

TEST_CASE("Who reads a store as one that nobody writes is told when somebody begins to", "[long]") {
  TemporaryStore store;
  fill_segments(store, 600, 1 << 20);
  sqlite3* opened = nullptr;
  REQUIRE(sqlite3_open_v2(unwritten_store_uri(store.path()).c_str(), &opened,
                          SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, nullptr) == SQLITE_OK);
  const Connection connection(opened);
  Reader reader(opened);
  read(reader, 1, 600);
  CHECK(reader.sees_what_is_newest());
  CHECK_NOTHROW(check_unwritten(opened));

  auto writer = std::make_unique<Writer>(store.options());
  append(*writer, 601, 601);
  CHECK_FALSE(reader.sees_what_is_newest());
  read(reader, 1, 600);  // the file is as it was: what is new is in the log

  std::int64_t visited = 0;
  const auto visit = [&](StoredRecord&) {
    if (++visited == 10) {
      append(*writer, 602, 900);
      writer.reset();  // which copies the log
    }
    return true;
  };
  const auto damaged = [](std::int64_t id, const std::string& why) {
    FAIL("record " << id << ": " << why);
    return true;
  };
  CHECK_THROWS_WITH(reader.each(1, Bodies::both, visit, damaged), contains_text("begin again"));
  CHECK(visited < 600);
  CHECK_THROWS_AS(reader.find(1, Bodies::both), StoreError);
  const auto anew = open_reader(store);
  read(*anew, 1, 900);
  CHECK(anew->sees_what_is_newest());
}

TEST_CASE("Who opens a store as immutable by himself answers for it") {
  TemporaryStore store;
  fill_segments(store, 3, 1 << 20);
  sqlite3* opened = nullptr;
  REQUIRE(sqlite3_open_v2(("file:" + store.path() + "?immutable=1").c_str(), &opened,
                          SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, nullptr) == SQLITE_OK);
  const Connection connection(opened);
  CHECK_NOTHROW(check_unwritten(opened));
  Reader reader(opened);
  read(reader, 1, 3);
}

TEST_CASE("A row with the last number there is ends a reading") {
  TemporaryStore store;
  fill_segments(store, 3, 1 << 20);
  store.tamper(
      "UPDATE segment SET last_record = 9223372036854775807;"
      "UPDATE record SET id = 9223372036854775807 WHERE id = 3");
  const Found found = read_around_damage(*open_reader(store));
  CHECK(found.whole == std::set<std::int64_t>{1, 2});
  CHECK(found.damaged == std::set<std::int64_t>{std::numeric_limits<std::int64_t>::max()});
  CHECK_THROWS_WITH(Writer(store.options()), contains_text("has a number that no invlog gives"));
}

TEST_CASE("Records whose segment was lost are told of, wherever it was") {
  TemporaryStore store;
  for (std::int64_t first = 1; first <= 13; first += 6) {
    Writer writer(store.options());
    append(writer, first, first + 5);
  }
  std::set<std::int64_t> lost{1, 2, 3, 4, 5, 6};
  SECTION("in front") {
    store.tamper("DELETE FROM segment WHERE id = 1");
  }
  SECTION("behind") {
    store.tamper("DELETE FROM segment WHERE id = 3");
    lost = {13, 14, 15, 16, 17, 18};
  }
  SECTION("all") {
    store.tamper("DELETE FROM segment");
    lost = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};
  }
  const auto reader = open_reader(store);
  const Found found = read_around_damage(*reader);
  CHECK(found.damaged == lost);
  CHECK(found.whole.size() == 18 - lost.size());
  CHECK_THAT(found.why, contains_text("belongs to no segment"));
  CHECK_THROWS_AS(reader->find(*lost.begin(), Bodies::none), StoreError);
}

TEST_CASE("A store under two names is not written") {
  TemporaryStore store;
  fill_segments(store, 3, 1 << 20);
  const std::filesystem::path other = store.directory() / "other.db";
  std::filesystem::create_hard_link(store.path(), other);
  CHECK_THROWS_WITH(Writer(store.options()), contains_text("hard links"));
  const auto ledger = DeliveryLedger::open(other);
  REQUIRE(!ledger.has_value());
  CHECK(ledger.error().find("hard links") != std::string::npos);
  read(*open_reader(store), 1, 3);
  std::filesystem::remove(other);
  CHECK(DeliveryLedger::open(store.path()).has_value());
}
