#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "storage/file_lock.h"
#include "storage/integrity.h"
#include "storage/reader.h"
#include "storage/schema.h"
#include "storage/start_reads.h"
#include "storage/store.h"
#include "storage/store_error.h"
#include "storage/store_file.h"
#include "storage/time_text.h"
#include "storage/verify.h"
#include "storage/writer.h"
#include "tests/catch.h"
#include "tests/contains.h"
#include "tests/unit/storage/temporary_store.h"

using namespace invlog::storage;
using invlog::tests::contains;

namespace {

std::string refusal(const WriterOptions& options) {
  try {
    Writer writer(options);
  } catch (const StoreError& error) {
    return error.what();
  }
  return "";
}

void check_whole(const TemporaryStore& store) {
  for (const VerifyProblem& problem : verify_store(store.path(), {}).problems) {
    FAIL(problem.where << ": " << problem.what);
  }
}

template <typename Act>
std::chrono::steady_clock::duration time_of(Act act) {
  const auto begin = std::chrono::steady_clock::now();
  act();
  return std::chrono::steady_clock::now() - begin;
}

void write_durably(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  REQUIRE(file >= 0);
  const std::string page(4096, 'x');
  const bool written =
      ::write(file, page.data(), page.size()) == static_cast<ssize_t>(page.size()) &&
      ::fsync(file) == 0;
  ::close(file);
  REQUIRE(written);
}

class ThrowingRecord : public PendingRecord {
 public:
  std::size_t memory_bytes() const override { return 1; }
  Record build() override { throw std::runtime_error("cannot be built"); }
};

// Holds the writer's thread inside build() until it is let go.
class BlockingRecord : public PendingRecord {
 public:
  BlockingRecord(std::shared_future<void> go, std::promise<void>& reached)
      : go_(std::move(go)), reached_(reached) {}
  std::size_t memory_bytes() const override { return 1; }
  Record build() override {
    reached_.set_value();
    go_.wait();
    return record_with("blocked", "");
  }

 private:
  std::shared_future<void> go_;
  std::promise<void>& reached_;
};

class SizedRecord : public PendingRecord {
 public:
  explicit SizedRecord(std::size_t bytes) : bytes_(bytes) {}
  std::size_t memory_bytes() const override { return bytes_; }
  Record build() override { return record_with("sized", ""); }

 private:
  std::size_t bytes_;
};

}  // namespace

TEST_CASE("A store refuses another Region with one clear line") {
  TemporaryStore store;
  { Writer writer(store.options()); }
  WriterOptions options = store.options();
  options.region = "eu-west-1";
  const std::string message = refusal(options);
  CHECK(contains(message, "pinned to Region eu-central-1"));
  CHECK(contains(message, "eu-west-1"));
  CHECK(!contains(message, "\n"));
  // And so do the rows themselves.
  CHECK_THROWS(store.tamper("INSERT INTO record(id, source_region) VALUES (1, 'us-east-1')"));
  CHECK_THROWS(store.tamper("UPDATE record SET source_region = 'us-east-1'"));
}

TEST_CASE("A store refuses what it does not know") {
  TemporaryStore store;
  WriterOptions options = store.options();
  SECTION("another account") {
    { Writer writer(options); }
    options.account_id = "999999999999";
    CHECK(contains(refusal(options), "belongs to account 111122223333"));
  }
  SECTION("a second writer") {
    Writer writer(options);
    CHECK(contains(refusal(options), "another invlog agent or `invlog erase` has it open"));
  }
  SECTION("a newer format") {
    { Writer writer(options); }
    store.tamper("PRAGMA user_version = 9");
    CHECK(contains(refusal(options), "version 9"));
    CHECK(contains(Reader::open(store.path()).error(), "version 9"));
  }
  SECTION("somebody else's database") {
    store.tamper("CREATE TABLE t(x)");
    CHECK(contains(refusal(options), "not an invlog store"));
    CHECK(contains(Reader::open(store.path()).error(), "not an invlog store"));
  }
  SECTION("a Region that is none") {
    options.region = "eu'; DROP TABLE record; --";
    CHECK(contains(refusal(options), "is no Region"));
  }
  SECTION("a directory that is not there") {
    options.path = store.directory() / "missing" / "x.db";
    CHECK(contains(refusal(options), "No such file"));
    CHECK(contains(Reader::open(options.path).error(), "No such file"));
  }
}

TEST_CASE("An account that becomes known later is pinned then") {
  TemporaryStore store;
  WriterOptions options = store.options();
  options.account_id = "";
  { Writer writer(options); }
  options.account_id = "111122223333";
  { Writer writer(options); }
  auto reader = Reader::open(store.path());
  CHECK((*reader)->information().account_id == "111122223333");
  CHECK(store.query("SELECT count(*) FROM event WHERE kind = 'account-pinned'") == "1");
  check_whole(store);
}

TEST_CASE("Segments roll over, and records on both sides read back") {
  TemporaryStore store;
  WriterOptions options = store.options();
  options.segment_bytes = 32 * 1024;
  {
    Writer writer(options);
    for (std::uint64_t i = 0; i < 60; ++i) {
      CHECK(submit_and_wait(writer, record_with(noise(5000, i % 7), noise(300, i))));
    }
  }
  CHECK(std::stoi(store.query("SELECT count(*) FROM segment")) > 3);
  auto reader = Reader::open(store.path());
  std::uint64_t next = 0;
  (*reader)->each(1, Bodies::both, [&](StoredRecord& stored) {
    CHECK(stored.id == static_cast<std::int64_t>(next + 1));
    CHECK((stored.record.request.bytes == noise(5000, next % 7)));
    CHECK((stored.record.response.bytes == noise(300, next)));
    ++next;
    return true;
  });
  CHECK(next == 60);
  check_whole(store);
}

TEST_CASE("A segment ends with its day") {
  TemporaryStore store;
  WriterOptions options = store.options();
  std::atomic<std::int64_t> now{1'790'000'000'000'000};
  options.clock = [&now] { return now.load(); };
  {
    Writer writer(options);
    submit_and_wait(writer, record_with("monday", ""));
    submit_and_wait(writer, record_with("monday too", ""));
    now += 86'400'000'000;
    // The first record of the new day still closes the old one's segment.
    submit_and_wait(writer, record_with("tuesday", ""));
    submit_and_wait(writer, record_with("tuesday too", ""));
  }
  CHECK(store.query("SELECT count(*) FROM segment") == "2");
  check_whole(store);
}

TEST_CASE("A store goes on where it was") {
  TemporaryStore store;
  for (int i = 1; i <= 3; ++i) {
    Writer writer(store.options());
    CHECK(submit_and_wait(writer, record_with("body " + std::to_string(i), "")));
    writer.stop();
    writer.stop();
  }
  auto reader = Reader::open(store.path());
  CHECK((*reader)->last_id() == 3);
  CHECK((*reader)->find(2, Bodies::request)->record.request.bytes == "body 2");
  CHECK(store.query("SELECT count(*) FROM segment WHERE closed_at IS NULL") == "0");
  check_whole(store);
}

TEST_CASE("Where a segment's row was lost, what comes next leaves its chunks alone") {
  TemporaryStore store;
  for (int i = 1; i <= 3; ++i) {
    Writer writer(store.options());
    CHECK(submit_and_wait(writer, record_with("body " + std::to_string(i), "")));
  }
  const auto first_chunks = [&store] {
    return store.query(
        "SELECT group_concat(hex(bytes)) FROM (SELECT bytes FROM chunk ORDER BY id "
        "LIMIT 3)");
  };
  const std::string before = first_chunks();
  SECTION("a new segment has a number of its own") {
    store.tamper("DELETE FROM segment WHERE id = 3");
    {
      Writer writer(store.options());
      CHECK(submit_and_wait(writer, record_with("new", "")));
    }
    CHECK(first_chunks() == before);
    CHECK(store.query("SELECT count(*) FROM chunk") == "4");
    CHECK((*Reader::open(store.path()))->find(4, Bodies::request)->record.request.bytes == "new");
    // What is missing is told, and what is new is whole.
    for (const VerifyProblem& problem : verify_store(store.path(), {}).problems) {
      INFO(problem.where << ": " << problem.what);
      CHECK((problem.where == "chunks" ||
             contains(problem.what, "segments before it are missing") ||
             contains(problem.what, "but the one before ends with")));
    }
  }
  SECTION("a number after which none can follow is told of") {
    store.tamper("UPDATE segment SET id = 9223372036854775807 WHERE id = 3");
    CHECK(contains(refusal(store.options()),
                   "segment 9223372036854775807 has a number that no invlog gives"));
    CHECK(first_chunks() == before);
  }
  SECTION("nor is anything written for one that is open") {
    // Its chunks would be those of segment 1.
    store.tamper("UPDATE segment SET id = (1 << 40) + 1, closed_at = NULL WHERE id = 3");
    CHECK(contains(refusal(store.options()),
                   "segment 1099511627777 has a number that no invlog gives"));
    CHECK(first_chunks() == before);
    CHECK(store.query("SELECT count(*) FROM event WHERE kind = 'recovered'") == "0");
  }
}

TEST_CASE("Where a chunk of the open segment was lost, its end is not written over another") {
  TemporaryStore store;
  {
    Writer writer(store.options());
    REQUIRE(submit_and_wait(writer, record_with(noise(20'000, 1), "")));
  }
  const std::string chunks =
      "SELECT group_concat(hex(bytes)) FROM (SELECT * FROM chunk ORDER BY id)";
  store.tamper(
      "DELETE FROM chunk WHERE id = (1 << 24) + 1; UPDATE segment SET closed_at = NULL; "
      // A full one is the last.
      "DELETE FROM chunk WHERE length(bytes) < 4057");
  const std::string before = store.query(chunks);
  { Writer writer(store.options()); }
  CHECK((store.query(chunks) == before + ",010000"));
  CHECK(store.query("SELECT count(*) FROM event WHERE kind = 'recovered'") == "1");
}

TEST_CASE("An open segment with rows that cannot be read is closed, and what follows is whole") {
  TemporaryStore store;
  {
    Writer writer(store.options());
    for (std::uint64_t id = 1; id <= 300; ++id) {
      Record record = record_with(noise(3000, id), "");
      record.request_id = "request-" + std::to_string(id);
      record.details = "{\"marker\":\"number-" + std::to_string(id) + "-\"}";
      submit(writer, std::move(record));
    }
  }
  store.tamper("UPDATE segment SET closed_at = NULL, last_record = NULL");
  bool stream_is_whole = true;
  SECTION("rows of records") {
    damage_page_of(store, "number-150-");
  }
  SECTION("a piece of its stream") {
    const auto bytes =
        from_hex(store.query("SELECT hex(substr(bytes, 100, 32)) FROM chunk WHERE id = (1 << 24) + "
                             "100"));
    REQUIRE(bytes.has_value());
    damage_page_of(store, std::string(bytes_of(*bytes)));
    stream_is_whole = false;
  }
  CHECK(contains(start_problem((*Reader::open(store.path()))->connection()),
                 "it is damaged (database disk image is malformed): see `invlog verify`"));
  {
    Writer writer(store.options());
    CHECK(submit_and_wait(writer, record_with("new", "")));
  }
  CHECK(store.query("SELECT details FROM event WHERE kind = 'recovered'") ==
        R"({"segment":1,"damaged":true})");
  CHECK(store.query("SELECT hex(digest) FROM segment WHERE id = 1") == std::string(64, '0'));
  CHECK((store.query("SELECT stream_bytes FROM segment WHERE id = 1") != "0") == stream_is_whole);
  auto reader = Reader::open(store.path());
  REQUIRE(reader.has_value());
  CHECK(start_problem((*reader)->connection()).empty());
  CHECK((*reader)->find(301, Bodies::request)->record.request.bytes == "new");
  CHECK_THROWS_AS((*reader)->find(150, Bodies::both), StoreError);
  for (const std::int64_t id : {1, 300}) {
    const auto found = (*reader)->find_by_request_id("request-" + std::to_string(id), Bodies::none);
    REQUIRE(found.has_value());
    CHECK(found->id == id);
  }
  const VerifyReport report = verify_store(store.path(), {});
  CHECK(report.segments == 2);
  bool told = false;
  for (const VerifyProblem& problem : report.problems) {
    told = told || problem.where == "segment 1";
    INFO(problem.where << ": " << problem.what);
    CHECK(problem.where != "segment 2");
  }
  CHECK(told);
}

TEST_CASE("A store that cannot be written after damage is refused with one clear line") {
  TemporaryStore store;
  {
    Writer writer(store.options());
    CHECK(submit_and_wait(writer, record_with("body", "")));
  }
  const std::string kept = store.directory() / "kept.db";
  std::filesystem::copy_file(store.path(), kept);
  const std::string clear =
      "store " + store.path() +
      ": it is damaged (database disk image is malformed): see `invlog verify`, and restore it "
      "from a backup or use another state_dir";
  for (const char* table :
       {"store", "label", "record", "segment", "chunk", "event", "intent", "instance"}) {
    INFO(table);
    std::filesystem::copy_file(kept, store.path(),
                               std::filesystem::copy_options::overwrite_existing);
    damage_page(store.path(), std::stoll(store.query("SELECT rootpage FROM sqlite_schema WHERE "
                                                     "name = '" +
                                                     std::string(table) + "'")));
    if (std::string_view(table) != "store") {
      const auto reader = Reader::open(store.path());
      REQUIRE(reader.has_value());
      CHECK(start_problem((*reader)->connection()) == clear);
    }
    CHECK(refusal(store.options()) == clear);
  }
}

TEST_CASE("Where labels were lost, no other text takes their place in earlier records") {
  TemporaryStore store;
  for (const char* model : {"first", "second", "third"}) {
    if (std::string_view(model) == "third") {
      store.tamper("DELETE FROM label WHERE text = 'second'");
    }
    Writer writer(store.options());
    Record record = record_with("body", "");
    record.model_id = model;
    CHECK(submit_and_wait(writer, std::move(record)));
  }
  auto reader = Reader::open(store.path());
  CHECK((*reader)->find(1, Bodies::none)->record.model_id == "first");
  CHECK_THROWS_AS((*reader)->find(2, Bodies::none), StoreError);
  CHECK((*reader)->find(3, Bodies::none)->record.model_id == "third");
}

TEST_CASE("A label with the last number there is does not keep others from being written") {
  TemporaryStore store;
  { Writer writer(store.options()); }
  store.tamper("INSERT INTO label(id, text) VALUES (9223372036854775807, 'damaged')");
  Record record = record_with("body", "");
  record.model_id = "new";
  {
    WriterOptions options = store.options();
    options.clock = [] { return 1'790'000'000'000'000; };
    Store writer(options);
    writer.add(std::move(record));
    REQUIRE_NOTHROW(writer.commit());
  }
  CHECK((*Reader::open(store.path()))->find(1, Bodies::none)->record.model_id == "new");
}

TEST_CASE("The queue is bounded, and says when it has room again") {
  TemporaryStore store;
  WriterOptions options = store.options();
  options.queue_bytes = 1000;
  Writer writer(options);
  std::promise<void> go, reached;
  std::unique_ptr<PendingRecord> blocker =
      std::make_unique<BlockingRecord>(go.get_future().share(), reached);
  REQUIRE(writer.submit(blocker) == Submitted::queued);
  CHECK(blocker == nullptr);
  reached.get_future().wait();

  std::unique_ptr<PendingRecord> huge = std::make_unique<SizedRecord>(5000);
  CHECK(writer.submit(huge) == Submitted::queued);  // larger than the queue, but it is empty
  std::unique_ptr<PendingRecord> small = std::make_unique<SizedRecord>(10);
  CHECK(writer.submit(small) == Submitted::full);
  CHECK(small != nullptr);
  CHECK(writer.status().queued_records == 1);
  CHECK(writer.status().queued_bytes == 5000);

  std::promise<void> room;
  writer.when_room([&room] { room.set_value(); });
  go.set_value();
  room.get_future().wait();
  CHECK(writer.submit(small) == Submitted::queued);
  writer.count_dropped("queue-full", 2);
  writer.count_dropped("queue-full");
  writer.stop();
  CHECK(writer.status().committed == 3);
  CHECK(writer.status().dropped == 3);
  CHECK(store.query("SELECT sum(count) FROM event WHERE kind = 'dropped'") == "3");
  CHECK(store.query("SELECT json_extract(details, '$.why') FROM event WHERE kind = 'dropped'") ==
        "queue-full");
  std::unique_ptr<PendingRecord> late = std::make_unique<SizedRecord>(10);
  CHECK(writer.submit(late) == Submitted::failed);
  bool called = false;
  writer.when_room([&called] { called = true; });
  CHECK(called);
}

TEST_CASE("The writer's heartbeat grows while it works or waits, and stands while it hangs") {
  TemporaryStore store;
  Writer writer(store.options());
  std::promise<void> go, reached;
  std::unique_ptr<PendingRecord> blocker =
      std::make_unique<BlockingRecord>(go.get_future().share(), reached);
  REQUIRE(writer.submit(blocker) == Submitted::queued);
  reached.get_future().wait();
  const std::uint64_t hanging = writer.heartbeat();
  CHECK(hanging > 0);
  std::unique_ptr<PendingRecord> waiting = std::make_unique<SizedRecord>(10);
  REQUIRE(writer.submit(waiting) == Submitted::queued);
  std::this_thread::sleep_for(std::chrono::milliseconds(30));  // longer than a commit takes
  CHECK(writer.heartbeat() == hanging);
  go.set_value();
  CHECK(submit_and_wait(writer, record_with("next", "")));
  CHECK(writer.heartbeat() > hanging);
  // Without anything to do.
  const std::uint64_t idle = writer.heartbeat();
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (writer.heartbeat() == idle && std::chrono::steady_clock::now() < limit)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(writer.heartbeat() > idle);
}

TEST_CASE("A record that cannot be built is counted and told") {
  TemporaryStore store;
  {
    Writer writer(store.options());
    std::promise<bool> told;
    std::unique_ptr<PendingRecord> bad = std::make_unique<ThrowingRecord>();
    writer.submit(bad, [&told](bool ok) { told.set_value(ok); });
    CHECK(told.get_future().get() == false);
    CHECK(submit_and_wait(writer, record_with("good", "")));
    CHECK(writer.status().dropped == 1);
  }
  CHECK(store.query("SELECT count(*) FROM record") == "1");
  CHECK(store.query("SELECT details FROM event WHERE kind = 'build-failed'") ==
        R"({"error":"cannot be built"})");
}

TEST_CASE("Events are kept without any record, and are in the chain") {
  TemporaryStore store;
  {
    Writer writer(store.options());
    writer.record_event("started", R"({"version":"test"})");
  }
  CHECK(store.query("SELECT kind || details FROM event WHERE id = 2") ==
        R"(started{"version":"test"})");
  check_whole(store);
  store.tamper("UPDATE event SET kind = 'stopped'");
  CHECK(!verify_store(store.path(), {}).problems.empty());
}

TEST_CASE("A record is durable within the commit interval") {
  TemporaryStore store;
  Writer writer(store.options());
  submit_and_wait(writer, record_with("first: opens the segment", ""));
  auto best = std::chrono::steady_clock::duration::max();
  for (int i = 0; i < 20; ++i) {
    const auto disk = time_of([&store] { write_durably(store.path() + ".beside"); });
    best = std::min(
        best, time_of([&writer] { submit_and_wait(writer, record_with("body", "")); }) - disk);
  }
  // The best of many, because the machine may be busy, and without what its disk takes, which may
  // be more than the interval; a commit that waits for more than its interval fails all.
  CHECK(best <= std::chrono::milliseconds(20));
}

TEST_CASE("An intent becomes its record, or an interrupted one at the next start") {
  TemporaryStore store;
  Record finished = full_record();
  finished.request.bytes = prose(5000, 1);
  Record lost = record_with(prose(6000, 2), "");
  lost.outcome = "";
  {
    Writer writer(store.options());
    const Writer::IntentId first = submit_intent_and_wait(writer, finished);
    const Writer::IntentId second = submit_intent_and_wait(writer, lost);
    CHECK(first != 0);
    CHECK(second != first);
    CHECK(store.query("SELECT count(*) FROM intent") == "2");
    CHECK(submit_and_wait(writer, finished, first));
    CHECK(store.query("SELECT count(*) FROM intent") == "1");
  }
  { Writer writer(store.options()); }
  auto reader = Reader::open(store.path());
  CHECK((*reader)->last_id() == 2);
  CHECK(same_record((*reader)->find(1, Bodies::both)->record, finished));
  lost.outcome = "interrupted";
  CHECK(same_record((*reader)->find(2, Bodies::both)->record, lost));
  CHECK(store.query("SELECT count(*) FROM intent") == "0");
  CHECK(store.query("SELECT count FROM event WHERE kind = 'interrupted'") == "1");
  check_whole(store);
}

TEST_CASE("An intent whose record was dropped goes, committed or not") {
  TemporaryStore store;
  {
    Writer writer(store.options());
    const Writer::IntentId committed = submit_intent_and_wait(writer, record_with("one", ""));
    writer.forget_intent(committed);
    std::unique_ptr<PendingRecord> request = std::make_unique<ReadyRecord>(record_with("two", ""));
    Writer::IntentId queued = 0;
    REQUIRE(writer.submit_intent(request, queued, {}) == Submitted::queued);
    writer.forget_intent(queued);
    writer.forget_intent(99);  // there is none
    CHECK(submit_and_wait(writer, record_with("three", "")));
    CHECK(store.query("SELECT count(*) FROM intent") == "0");
  }
  Writer writer(store.options());
  CHECK(store.query("SELECT count(*) FROM record") == "1");
  CHECK(store.query("SELECT count(*) FROM event WHERE kind = 'interrupted'") == "0");
}

TEST_CASE("What cannot be built is counted once, whether it is a call's request or its record") {
  TemporaryStore store;
  {
    Writer writer(store.options());
    const Writer::IntentId kept = submit_intent_and_wait(writer, record_with("one", ""));
    std::unique_ptr<PendingRecord> record = std::make_unique<ThrowingRecord>();
    REQUIRE(writer.submit(record, {}, kept) == Submitted::queued);
    std::promise<bool> told;
    std::unique_ptr<PendingRecord> request = std::make_unique<ThrowingRecord>();
    Writer::IntentId refused = 0;
    REQUIRE(writer.submit_intent(request, refused, [&told](bool ok) { told.set_value(ok); }) ==
            Submitted::queued);
    CHECK(told.get_future().get() == false);
    CHECK(submit_and_wait(writer, record_with("two", ""), refused));
    CHECK(writer.status().dropped == 1);
    CHECK(store.query("SELECT count(*) FROM intent") == "0");
  }
  Writer writer(store.options());
  CHECK(store.query("SELECT count(*) FROM record") == "1");
  CHECK(store.query("SELECT sum(count) FROM event WHERE kind = 'dropped'") == "1");
  CHECK(store.query("SELECT count(*) FROM event WHERE kind = 'build-failed'") == "2");
}

TEST_CASE("A record ends its intent also where nobody waited for the intent's commit") {
  TemporaryStore store;
  {
    Writer writer(store.options());
    submit_and_wait(writer, record_with("first: opens the segment", ""));
    const Record record = record_with(prose(5000, 1), "answer");
    std::unique_ptr<PendingRecord> request = std::make_unique<ReadyRecord>(record);
    Writer::IntentId intent = 0;
    REQUIRE(writer.submit_intent(request, intent, {}) == Submitted::queued);
    CHECK(intent != 0);
    CHECK(submit_and_wait(writer, record, intent));
    CHECK(store.query("SELECT count(*) FROM intent") == "0");
  }
  { Writer writer(store.options()); }
  CHECK(store.query("SELECT count(*) FROM invocations") == "2");
  check_whole(store);
}

TEST_CASE("Many threads submit at once and every record is there once") {
  TemporaryStore store;
  WriterOptions options = store.options();
  options.queue_bytes = 20'000;
  constexpr int kThreads = 4, kEach = 250;
  std::atomic<int> committed{0};
  {
    Writer writer(options);
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int i = 0; i < kEach; ++i) {
          submit(writer, record_with(std::to_string(thread) + "/" + std::to_string(i), ""),
                 [&committed](bool ok) { committed += ok ? 1 : 0; });
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  }
  CHECK(committed == kThreads * kEach);
  auto reader = Reader::open(store.path());
  std::vector<std::string> bodies;
  (*reader)->each(1, Bodies::request, [&](StoredRecord& stored) {
    bodies.push_back(stored.record.request.bytes);
    return true;
  });
  std::sort(bodies.begin(), bodies.end());
  CHECK(std::adjacent_find(bodies.begin(), bodies.end()) == bodies.end());
  CHECK(bodies.size() == kThreads * kEach);
}

TEST_CASE("A store whose file is removed is written again from what is open") {
  const bool with_log = GENERATE(true, false);
  TemporaryStore store;
  {
    Writer writer(store.options());
    for (int i = 0; i < 50; ++i) {
      REQUIRE(submit_and_wait(writer, record_with(prose(2000, 7) + std::to_string(i), "before")));
    }
    std::filesystem::remove(store.path());
    if (with_log) {
      std::filesystem::remove(store.path() + "-wal");
      std::filesystem::remove(store.path() + "-shm");
      std::filesystem::remove(store.path() + "-lock");
    }
    REQUIRE(submit_and_wait(writer, record_with(prose(2000, 7) + "x", "after")));
    CHECK(!writer.status().failing);
    auto reader = Reader::open(store.path());
    REQUIRE(reader);
    CHECK((*reader)->find(1, Bodies::both)->record.request.bytes == prose(2000, 7) + "0");
    CHECK((*reader)->find(51, Bodies::both)->record.response.bytes == "after");
    CHECK(contains(refusal(store.options()), "another"));  // the lock is held
    REQUIRE(submit_and_wait(writer, record_with("last", "")));
  }
  CHECK(store.query("SELECT count(*) FROM record") == "52");
  CHECK(store.query("SELECT count(*) FROM event WHERE kind = 'file-restored'") == "1");
  CHECK(store.query("SELECT count(*) FROM event WHERE kind = 'recovered'") == "0");
  CHECK_FALSE(std::filesystem::exists(store.path() + ".restored"));
  check_whole(store);
}

TEST_CASE("A store whose log is removed is written again, and a kill costs nothing") {
  namespace fs = std::filesystem;
  const std::string removed = GENERATE(as<std::string>(), "-wal", "-shm", "-wal -shm");
  TemporaryStore store;
  const std::string killed = store.directory() / "killed.db";
  {
    Writer writer(store.options());
    for (int i = 0; i < 50; ++i) {
      REQUIRE(submit_and_wait(writer, record_with(prose(2000, 7) + std::to_string(i), "before")));
    }
    for (const char* suffix : {"-wal", "-shm"}) {
      if (contains(removed, suffix)) {
        fs::remove(store.path() + suffix);
      }
    }
    REQUIRE(submit_and_wait(writer, record_with(prose(2000, 7) + "x", "after")));
    CHECK(!writer.status().failing);
    CHECK(store.query("SELECT count(*) FROM event WHERE kind = 'file-restored'") == "1");
    for (const char* suffix : {"", "-wal"}) {
      fs::copy_file(store.path() + suffix, killed + suffix);
    }
    auto reader = Reader::open(killed);
    REQUIRE(reader);
    CHECK((*reader)->last_id() == 51);
    CHECK((*reader)->find(1, Bodies::both)->record.request.bytes == prose(2000, 7) + "0");
    CHECK((*reader)->find(51, Bodies::both)->record.response.bytes == "after");
    REQUIRE(submit_and_wait(writer, record_with("last", "")));
  }
  CHECK(store.query("SELECT count(*) FROM record") == "52");
  CHECK(store.query("SELECT count(*) FROM event WHERE kind = 'file-restored'") == "1");
  CHECK(store.query("SELECT count(*) FROM event WHERE kind = 'recovered'") == "0");
  for (const char* left : {".restored", ".restoring"}) {
    CHECK_FALSE(fs::exists(store.path() + left));
  }
  check_whole(store);
}

TEST_CASE("What is in a removed log is in the file before that is written again") {
  namespace fs = std::filesystem;
  TemporaryStore file;
  WriterOptions options = file.options();
  options.clock = system_now_us;
  Store store(options);
  const std::string killed = file.directory() / "killed.db";
  store.when_busy([&](const std::string&) {
    fs::copy_file(file.path(), killed, fs::copy_options::overwrite_existing);
  });
  store.add(record_with("first", ""));
  store.commit();
  fs::remove(file.path() + "-wal");
  CHECK(store.file_is_gone());
  store.restore_file();
  CHECK(!store.file_is_gone());
  auto reader = Reader::open(killed);
  REQUIRE(reader);
  CHECK((*reader)->last_id() == 1);
}

TEST_CASE("A log that another emptied or that nobody wrote yet is not taken for removed") {
  TemporaryStore file;
  WriterOptions options = file.options();
  options.clock = system_now_us;
  for (int start = 0; start < 2; ++start) {
    Store store(options);
    CHECK(!store.file_is_gone());
    file.tamper("PRAGMA wal_checkpoint(TRUNCATE)");
    CHECK(!store.file_is_gone());
    store.add(record_with("body", ""));
    store.commit();
    file.tamper("PRAGMA wal_checkpoint(TRUNCATE)");
    CHECK(!store.file_is_gone());
  }
  CHECK(file.query("SELECT count(*) FROM event WHERE kind = 'file-restored'") == "0");
  check_whole(file);
}

TEST_CASE("A lock file that was removed is made and locked again, and records wait for that") {
  TemporaryStore file;
  WriterOptions options = file.options();
  options.clock = system_now_us;
  const std::string lock = file.path() + "-lock";
  Store store(options);
  CHECK(!store.file_is_gone());
  std::filesystem::remove(lock);
  CHECK(store.file_is_gone());
  auto other = FileLock::try_lock(lock, file.path());
  REQUIRE(other);
  store.add(record_with("body", ""));
  std::string refused;
  try {
    store.commit();
  } catch (const StoreError& error) {
    refused = error.what();
    CHECK(error.sqlite_code() == SQLITE_BUSY);
  }
  CHECK(contains(refused, "has taken a new one"));
  CHECK(file.query("SELECT count(*) FROM record") == "0");
  other.reset();
  store.commit();
  CHECK(!store.file_is_gone());
  CHECK(!FileLock::try_lock(lock, file.path()));
  CHECK(file.query("SELECT count(*) FROM record") == "1");
}

TEST_CASE("A segment that another has ended is not written on") {
  TemporaryStore file;
  WriterOptions options = file.options();
  options.clock = system_now_us;
  Store store(options);
  const auto let_another_write = [&] {
    std::filesystem::remove(file.path() + "-lock");
    Store(options).close();
  };
  store.add(record_with(prose(2000, 7) + "1", "committed"));
  const std::uint64_t intent = store.add_intent(record_with("under way", ""));
  SECTION("when its row is there") {
    store.commit();
    store.add(record_with(prose(2000, 7) + "2", "collected"));
    let_another_write();
    store.commit();
    auto reader = Reader::open(file.path());
    REQUIRE(reader);
    CHECK((*reader)->find(2, Bodies::both)->record.outcome == "interrupted");
    const auto collected = (*reader)->find(3, Bodies::both);
    CHECK(collected->record.request.bytes == prose(2000, 7) + "2");
    CHECK(collected->record.response.bytes == "collected");
    CHECK(!collected->record.request.truncated);
  }
  SECTION("when its number is another's now") {
    store.commit();
    store.close_segment();
    store.add(record_with(prose(2000, 7) + "2", "collected"));
    let_another_write();
    store.commit();
    auto reader = Reader::open(file.path());
    REQUIRE(reader);
    CHECK((*reader)->find(2, Bodies::both)->record.outcome == "interrupted");
    CHECK((*reader)->find(3, Bodies::both)->record.response.bytes == "collected");
  }
  SECTION("when nothing is collected") {
    store.commit();
    let_another_write();
    // Each look takes the lock again first.
    store.restore_file();
    store.close_segment();
    store.add(record_with(prose(2000, 7) + "2", "collected"));
    store.commit();
    CHECK(file.query("SELECT count(*) FROM segment WHERE closed_at IS NOT NULL") == "2");
  }
  store.add(record_with("last", ""), intent);
  store.commit();
  CHECK(file.query("SELECT count(*) FROM segment WHERE closed_at IS NULL") == "1");
  store.close();
  CHECK(file.query("SELECT count(*) FROM record") == "4");
  CHECK(file.query("SELECT count(*) FROM event WHERE kind = 'bodies-lost'") == "0");
  check_whole(file);
}

TEST_CASE("What a kill left of a removed store becomes the store at the next start") {
  namespace fs = std::filesystem;
  TemporaryStore store;
  {
    Writer writer(store.options());
    REQUIRE(submit_and_wait(writer, record_with("kept", "")));
  }
  const std::string copy = store.path() + ".restored";
  fs::rename(store.path(), copy);
  for (const char* left : {".restoring", ".restoring-journal", "-wal"}) {
    std::ofstream(store.path() + left) << "nothing whole";
  }
  CHECK(contains(Reader::open(store.path()).error(), "--store " + copy));
  {
    auto reader = Reader::open(copy);
    REQUIRE(reader);
    CHECK((*reader)->last_id() == 1);
    CHECK(contains(refusal(store.options()), "cannot become the store"));
    CHECK(!fs::exists(store.path()));
  }
  {
    Writer writer(store.options());
    REQUIRE(submit_and_wait(writer, record_with("next", "")));
    for (const char* gone : {".restored", ".restored-wal", ".restored-shm", ".restored-journal",
                             ".restoring", ".restoring-journal"}) {
      INFO(gone);
      CHECK(!fs::exists(store.path() + gone));
    }
  }
  CHECK(store.query("SELECT count(*) FROM record") == "2");
  CHECK(store.query("SELECT count(*) FROM event WHERE kind = 'file-restored'") == "1");
  check_whole(store);
}

TEST_CASE("A copy that an older invlog did not finish is no store") {
  TemporaryStore store;
  std::ofstream(store.path() + ".restored") << "";
  { Writer writer(store.options()); }
  CHECK(!std::filesystem::exists(store.path() + ".restored"));
  CHECK(store.query("SELECT kind FROM event") == "store-created");
  check_whole(store);
}

TEST_CASE("A copy beside a store stays as it is, and is told of") {
  namespace fs = std::filesystem;
  TemporaryStore store;
  const std::string copy = store.path() + ".restored";
  for (int start = 0; start < 3; ++start) {
    {
      Writer writer(store.options());
      REQUIRE(submit_and_wait(writer, record_with("body", "")));
    }
    if (start == 0) {
      fs::copy_file(store.path(), copy);
    }
  }
  CHECK(store.query("SELECT count(*) FROM event WHERE kind = 'copy-left'") == "1");
  CHECK(store.query("SELECT details ->> '$.file' FROM event WHERE kind = 'copy-left'") ==
        "eu-central-1.db.restored");
  {
    Writer writer(store.options());
    fs::remove(store.path());
    REQUIRE(submit_and_wait(writer, record_with("body", "")));
  }
  CHECK(store.query("SELECT count(*) FROM record") == "4");
  CHECK(store.query("SELECT count(*) FROM event WHERE kind = 'file-restored'") == "1");
  CHECK(!fs::exists(store.path() + ".restoring"));
  CHECK((*Reader::open(copy))->last_id() == 1);
  check_whole(store);
}

TEST_CASE("A file that was removed when nothing came after it is there at the stop") {
  TemporaryStore store;
  {
    Writer writer(store.options());
    REQUIRE(submit_and_wait(writer, record_with("kept", "")));
    std::filesystem::remove(store.path());
  }
  CHECK(store.query("SELECT count(*) FROM record") == "1");
  check_whole(store);
}

TEST_CASE("A file that was removed is written again although nothing comes after it") {
  TemporaryStore store;
  const std::string removed =
      store.path() + GENERATE(as<std::string>(), "", "-wal", "-shm", "-lock");
  Writer writer(store.options());
  REQUIRE(submit_and_wait(writer, record_with("kept", "")));
  std::filesystem::remove(removed);
  while (!std::filesystem::exists(removed)) {
    std::this_thread::yield();
  }
  writer.stop();
  CHECK(store.query("SELECT count(*) FROM record") == "1");
  check_whole(store);
}

TEST_CASE("A store that does not answer counts as failing while it is waited for") {
  TemporaryStore store;
  WriterOptions options = store.options();
  options.longest_attempt = std::chrono::milliseconds(20);
  options.queue_bytes = 1;
  Writer writer(options);
  REQUIRE(submit_and_wait(writer, record_with("first", "")));
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open(store.path().c_str(), &other) == SQLITE_OK);
  const Connection closed_at_the_end(other);
  execute(other, "BEGIN IMMEDIATE");
  submit(writer, record_with("second", ""));
  while (!writer.status().failing) {
    std::this_thread::yield();
  }
  CHECK(contains(writer.status().last_error, "the disk has not answered"));
  submit(writer, record_with("queued", ""));
  std::unique_ptr<PendingRecord> more = std::make_unique<ReadyRecord>(record_with("more", ""));
  CHECK(writer.submit(more) == Submitted::failed);
  // If it were killed now, the next start would say so.
  CHECK(writer.status().untold_drops == 2);
  execute(other, "ROLLBACK");
  while (writer.status().failing) {
    std::this_thread::yield();
  }
  CHECK(writer.status().untold_drops == 0);
  writer.stop();
  CHECK(store.query("SELECT count(*) FROM record") == "3");
  CHECK(store.query("SELECT count(*) FROM event WHERE kind = 'storage-recovered'") == "0");
  check_whole(store);
}

TEST_CASE("Another file in the store's place is left alone, and records wait") {
  TemporaryStore store;
  Writer writer(store.options());
  REQUIRE(submit_and_wait(writer, record_with("first", "")));
  std::filesystem::rename(store.path(), store.path() + ".away");
  std::ofstream(store.path()) << "not ours";
  submit(writer, record_with("second", ""));
  while (!writer.status().failing) {
    std::this_thread::yield();
  }
  CHECK(contains(writer.status().last_error, "another file has taken its place"));
  std::filesystem::rename(store.path() + ".away", store.path());
  while (writer.status().failing) {
    std::this_thread::yield();
  }
  writer.stop();
  CHECK(store.query("SELECT count(*) FROM record") == "2");
  check_whole(store);
}

TEST_CASE("A group's bytes are those of its bodies and of what its rows say beside them") {
  TemporaryStore file;
  WriterOptions options = file.options();
  options.clock = system_now_us;
  Store store(options);
  Record record = record_with("ab", "c");
  record.details = R"({"a":1})";
  store.add(record);
  CHECK(store.group_bytes() == 3 + 7);
  store.commit();
  CHECK(store.group_bytes() == 0);
}
