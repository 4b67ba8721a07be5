#include <sqlite3.h>

#include <atomic>
#include <random>
#include <thread>

#include "storage/reader.h"
#include "storage/statement.h"
#include "storage/verify.h"
#include "tests/catch.h"
#include "tests/sanitized.h"
#include "tests/unit/storage/temporary_store.h"
#include "tests/unit/storage/unsynced_vfs.h"

using namespace invlog::storage;

namespace {

std::string request_body(std::int64_t id) {
  // Each repeats the start of the one before, so that references cross commits.
  std::string body = prose(3000, 1);
  for (std::int64_t turn = 0; turn <= id % 20; ++turn) {
    body += prose(700, static_cast<std::uint64_t>(turn + id / 20 * 20));
  }
  return body + prose(2000, 2);
}

std::string response_body(std::int64_t id) {
  return noise(static_cast<std::size_t>(id % 5) * 400, static_cast<std::uint64_t>(id));
}

struct Cut {
  std::filesystem::path store;
  std::int64_t acknowledged;  // records whose commit was reported before the power went
};

template <typename Condition>
void wait_for(const Condition& condition) {
  for (int i = 0; i < 2000 && !condition(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  REQUIRE(condition());
}

void check_cut(const Cut& cut, const WriterOptions& options) {
  INFO(cut.store.string() << ", " << cut.acknowledged << " acknowledged");
  WriterOptions recovered = options;
  recovered.path = cut.store;
  recovered.vfs = "";
  {
    // What is found after the cut must be whole before anything repairs it, too.
    auto reader = Reader::open(cut.store);
    REQUIRE(reader.has_value());
    CHECK((*reader)->last_id() >= cut.acknowledged);
  }
  {
    Writer writer(recovered);
    CHECK(submit_and_wait(writer, record_with("after the cut", "")));
  }
  const VerifyReport report = verify_store(cut.store, {});
  for (const VerifyProblem& problem : report.problems) {
    FAIL_CHECK(problem.where << ": " << problem.what);
  }
  auto reader = Reader::open(cut.store);
  REQUIRE(reader.has_value());
  const std::int64_t last = (*reader)->last_id();
  REQUIRE(last > cut.acknowledged);
  for (std::int64_t id = 1; id < last; ++id) {
    const auto stored = (*reader)->find(id, Bodies::both);
    REQUIRE(stored.has_value());
    REQUIRE((stored->record.request.bytes == request_body(id)));
    REQUIRE((stored->record.response.bytes == response_body(id)));
  }
  CHECK((*reader)->find(last, Bodies::both)->record.request.bytes == "after the cut");
}

}  // namespace

TEST_CASE("After a power cut at any moment every acknowledged record reads back", "[long]") {
  UnsyncedVfs& vfs = UnsyncedVfs::instance();
  vfs.clear();
  constexpr int kCuts = 120;
  TemporaryStore store;
  WriterOptions options = store.options();
  options.vfs = vfs.name();
  options.segment_bytes = 96 * 1024;
  std::atomic<std::int64_t> acknowledged{0};
  std::vector<Cut> cuts;
  std::uint64_t dropped = 0;
  {
    Writer writer(options);
    // The store's creation is over; from here on a cut may come before any write or sync.
    std::mt19937_64 random(7);
    int until_next = 3;
    vfs.set_hook([&] {
      if (--until_next > 0 || cuts.size() >= kCuts) {
        return;
      }
      until_next = 1 + static_cast<int>(random() % 12);
      const Cut cut{store.directory() / ("cut-" + std::to_string(cuts.size()) + ".db"),
                    acknowledged.load()};
      const int survival[] = {0, 100, 50, 90};
      dropped += vfs.snapshot(store.path(), cut.store, survival[cuts.size() % 4], random());
      cuts.push_back(cut);
    });
    for (std::int64_t id = 1; id <= 400; ++id) {
      submit(writer, record_with(request_body(id), response_body(id)),
             [&acknowledged](bool ok) { acknowledged += ok ? 1 : 0; });
      if (id % 5 == 0) {
        wait_for([&] { return acknowledged >= id - 3; });
      }
    }
    writer.stop();
    vfs.set_hook({});
  }
  CHECK(acknowledged == 400);
  REQUIRE(cuts.size() >= 100);
  // The layer below does lose what it was not told to keep.
  CHECK(dropped > 100);
  for (std::size_t at = 0; at < cuts.size(); at += invlog::tests::kSanitized ? 5 : 1) {
    check_cut(cuts[at], options);
  }
  vfs.clear();
}

TEST_CASE("A recovery that is killed at any moment is told of once") {
  UnsyncedVfs& vfs = UnsyncedVfs::instance();
  vfs.clear();
  TemporaryStore store;
  WriterOptions options = store.options();
  options.vfs = vfs.name();
  const std::filesystem::path crashed = store.directory() / "crashed.db";
  {
    Writer writer(options);
    REQUIRE(submit_intent_and_wait(writer, record_with("under way", "")) != 0);
    REQUIRE(submit_and_wait(writer, record_with("kept", "")));
    vfs.snapshot(store.path(), crashed, 0, 1);
  }
  vfs.clear();
  options.path = crashed;
  std::vector<std::filesystem::path> kills;
  vfs.set_hook([&] {
    kills.push_back(store.directory() / ("kill-" + std::to_string(kills.size()) + ".db"));
    vfs.snapshot(crashed, kills.back(), 100, 1);
  });
  { Writer writer(options); }
  vfs.clear();
  REQUIRE(kills.size() > 10);
  options.vfs = "";
  for (const std::filesystem::path& kill : kills) {
    INFO(kill.string());
    options.path = kill;
    { Writer writer(options); }
    auto reader = Reader::open(kill);
    REQUIRE(reader.has_value());
    sqlite3* const connection = (*reader)->connection();
    const auto count = [connection](const char* kind) {
      return single_integer(connection, std::string("SELECT count(*) FROM event WHERE kind = '") +
                                            kind + "' AND (count IS NULL OR count = 1)");
    };
    CHECK(count("recovered") >= 1);
    CHECK(single_integer(connection,
                         "SELECT count(*) FROM event WHERE details ->> '$.segment' = 1") == 1);
    CHECK(count("interrupted") == 1);
    CHECK((*reader)->last_id() == 2);
    CHECK(verify_store(kill, {}).problems.empty());
  }
}

TEST_CASE("A store that cannot be written keeps the group, goes on when it can, and says so") {
  UnsyncedVfs& vfs = UnsyncedVfs::instance();
  vfs.clear();
  const int fault = GENERATE(SQLITE_FULL, SQLITE_IOERR_WRITE);
  TemporaryStore store;
  WriterOptions options = store.options();
  options.vfs = vfs.name();
  options.queue_bytes = 20'000;
  {
    Writer writer(options);
    REQUIRE(submit_and_wait(writer, record_with("before", "")));
    vfs.fail_writes(fault);
    std::atomic<int> committed{0};
    for (int i = 0; i < 3; ++i) {
      submit(writer, record_with(request_body(i), ""), [&](bool ok) { committed += ok ? 1 : 0; });
    }
    wait_for([&] { return writer.status().failing; });
    CHECK(writer.status().last_error.find(store.path()) != std::string::npos);
    std::unique_ptr<PendingRecord> more;
    Submitted submitted = Submitted::queued;
    int queued = 0;
    while (submitted == Submitted::queued) {
      more = std::make_unique<ReadyRecord>(record_with(request_body(5), ""));
      submitted = writer.submit(more, [&](bool ok) { committed += ok ? 1 : 0; });
      queued += submitted == Submitted::queued ? 1 : 0;
    }
    CHECK(submitted == Submitted::failed);
    CHECK(more != nullptr);
    CHECK(committed == 0);
    vfs.fail_writes(0);
    wait_for([&] { return committed == 3 + queued; });
    CHECK(!writer.status().failing);
    CHECK(writer.status().dropped == 0);
  }
  vfs.clear();
  CHECK(store.query("SELECT count(*) FROM event WHERE kind = 'storage-recovered'") == "1");
  auto reader = Reader::open(store.path());
  CHECK((*reader)->find(2, Bodies::request)->record.request.bytes == request_body(0));
  CHECK((*reader)->find(4, Bodies::request)->record.request.bytes == request_body(2));
  CHECK(verify_store(store.path(), {}).problems.empty());
}

TEST_CASE("A writer that is stopped while it cannot write tells what was dropped") {
  UnsyncedVfs& vfs = UnsyncedVfs::instance();
  vfs.clear();
  TemporaryStore store;
  WriterOptions options = store.options();
  options.vfs = vfs.name();
  std::atomic<int> dropped{0};
  {
    Writer writer(options);
    REQUIRE(submit_and_wait(writer, record_with("kept", "")));
    vfs.fail_writes(SQLITE_FULL);
    // A strict call that did not wait for its intent: one record, though both are queued.
    std::unique_ptr<PendingRecord> request = std::make_unique<ReadyRecord>(record_with("lost", ""));
    Writer::IntentId intent = 0;
    REQUIRE(writer.submit_intent(request, intent, {}) == Submitted::queued);
    for (int i = 0; i < 5; ++i) {
      submit(
          writer, record_with("lost", ""), [&](bool ok) { dropped += ok ? 0 : 1; },
          i == 0 ? intent : 0);
    }
    writer.stop(std::chrono::milliseconds(50));
    CHECK(dropped == 5);
    CHECK(writer.status().dropped == 5);
    CHECK(writer.status().failing);
    CHECK(writer.status().untold_drops == 5);
    writer.count_dropped("queue-full", 2);
    CHECK(writer.status().untold_drops == 7);
  }
  vfs.clear();
  {
    Writer writer(store.options());
    writer.count_dropped("storage-failed", 7);
    CHECK(submit_and_wait(writer, record_with("next", "")));
    CHECK(writer.status().untold_drops == 0);
  }
  CHECK(store.query("SELECT sum(count) FROM event WHERE kind = 'dropped'") == "7");
  CHECK(store.query("SELECT count(*) FROM record") == "2");
  CHECK(verify_store(store.path(), {}).problems.empty());
}

TEST_CASE("A call whose request is on record is not counted when a stop gives its record up") {
  UnsyncedVfs& vfs = UnsyncedVfs::instance();
  vfs.clear();
  TemporaryStore store;
  WriterOptions options = store.options();
  options.vfs = vfs.name();
  {
    Writer writer(options);
    const Writer::IntentId on_record = submit_intent_and_wait(writer, record_with("asked", ""));
    const Writer::IntentId dropped = submit_intent_and_wait(writer, record_with("dropped", ""));
    vfs.fail_writes(SQLITE_FULL);
    writer.count_dropped("queue-full");
    writer.forget_intent(dropped);
    submit(writer, record_with("asked", "answer"), {}, on_record);
    submit(writer, record_with("lost", ""), [&](bool) { vfs.fail_writes(0); });
    writer.stop(std::chrono::milliseconds(50));
    CHECK(writer.status().dropped == 2);
    CHECK(writer.status().untold_drops == 0);
  }
  vfs.clear();
  CHECK(store.query("SELECT count(*) FROM intent") == "1");
  { Writer writer(store.options()); }
  CHECK(store.query("SELECT sum(count) FROM event WHERE kind = 'dropped'") == "2");
  CHECK(store.query("SELECT group_concat(outcome) FROM invocations") == "interrupted");
  auto reader = Reader::open(store.path());
  CHECK((*reader)->find(1, Bodies::request)->record.request.bytes == "asked");
  CHECK(verify_store(store.path(), {}).problems.empty());
}

TEST_CASE("What was dropped before a group had to be given up is told, if there is room at last") {
  UnsyncedVfs& vfs = UnsyncedVfs::instance();
  vfs.clear();
  TemporaryStore store;
  WriterOptions options = store.options();
  options.vfs = vfs.name();
  {
    Writer writer(options);
    REQUIRE(submit_and_wait(writer, record_with("kept", "")));
    vfs.fail_writes(SQLITE_FULL);
    writer.count_dropped("queue-full", 3);
    wait_for([&] { return writer.status().failing; });  // so they are in a group that fails
    CHECK(writer.status().untold_drops == 3);
    submit(writer, record_with("lost", ""), [&](bool) { vfs.fail_writes(0); });
    writer.stop(std::chrono::milliseconds(50));
    CHECK(writer.status().dropped == 4);
    CHECK(writer.status().untold_drops == 0);
  }
  vfs.clear();
  CHECK(store.query("SELECT sum(count) FROM event WHERE kind = 'dropped'") == "4");
  CHECK(verify_store(store.path(), {}).problems.empty());
}
