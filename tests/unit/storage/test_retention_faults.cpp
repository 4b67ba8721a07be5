#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "storage/reader.h"
#include "storage/retention.h"
#include "storage/store.h"
#include "storage/store_error.h"
#include "storage/verify.h"
#include "tests/catch.h"
#include "tests/contains.h"
#include "tests/sanitized.h"
#include "tests/unit/storage/retention_fixture.h"
#include "tests/unit/storage/unsynced_vfs.h"

using namespace invlog::storage;
using invlog::tests::contains;

namespace {

constexpr std::size_t kBodyBytes = 40'000;

// Cuts the power before some of the writes and syncs that happen meanwhile.
class PowerCuts {
 public:
  explicit PowerCuts(const RetentionFixture& fixture) : fixture_(fixture) {
    UnsyncedVfs::instance().set_hook([this] { maybe_cut(); });
  }
  ~PowerCuts() { UnsyncedVfs::instance().set_hook({}); }

  std::int64_t acknowledged = 0;  // the last record whose commit was over
  int seldom = 1;                 // about one of twice so many writes
  int cuts = 0, most = 0;
  std::uint64_t dropped = 0;

  // Whether what was found after each cut is whole, before and after it is opened for writing.
  void check(const WriterOptions& options) {
    for (const Cut& cut : taken_) {
      INFO(cut.path << ", " << cut.acknowledged << " acknowledged");
      check_whole(cut.path);
      WriterOptions recovered = options;
      recovered.path = cut.path;
      recovered.vfs = "";
      std::int64_t last = 0;
      {
        Store store(recovered);
        last = Reader::open(cut.path).value()->last_id();
        CHECK(last >= cut.acknowledged);
        while (store.tidy()) {
        }
        store.add(noisy_record(last + 1, kBodyBytes));
        store.commit();
        store.close();
      }
      check_whole(cut.path);
      auto reader = Reader::open(cut.path);
      std::int64_t next = 0;
      (*reader)->each(1, Bodies::both, [&](StoredRecord& record) {
        CHECK((next == 0 || record.id == next));
        CHECK((record.record.request.bytes == noisy_record(record.id, kBodyBytes).request.bytes));
        next = record.id + 1;
        return true;
      });
      CHECK(next == last + 2);
      for (const char* suffix : {"", "-wal", "-shm", "-lock"}) {
        std::filesystem::remove(cut.path + suffix);
      }
    }
    taken_.clear();
  }

 private:
  struct Cut {
    std::string path;
    std::int64_t acknowledged;
  };

  void maybe_cut() {
    if (--until_next_ > 0 || cuts >= most) {
      return;
    }
    until_next_ = 1 + static_cast<int>(random_() % static_cast<unsigned>(2 * seldom));
    const int survival[] = {0, 100, 50, 90};
    const std::string path = fixture_.store.directory() / ("cut-" + std::to_string(cuts) + ".db");
    dropped += UnsyncedVfs::instance().snapshot(fixture_.store.path(), path, survival[cuts % 4],
                                                random_());
    taken_.push_back({path, acknowledged});
    ++cuts;
  }

  static void check_whole(const std::string& path) {
    for (const VerifyProblem& problem : verify_store(path, {}).problems) {
      FAIL_CHECK(problem.where << ": " << problem.what);
    }
  }

  const RetentionFixture& fixture_;
  std::mt19937_64 random_{11};
  int until_next_ = 1;
  std::vector<Cut> taken_;
};

// No write comes back until it is told to answer.
class HangingDisk {
 public:
  HangingDisk() {
    UnsyncedVfs::instance().set_hook([hangs = hangs_] {
      while (*hangs) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    });
  }
  ~HangingDisk() { answer(); }
  void answer() const { *hangs_ = false; }

 private:
  std::shared_ptr<std::atomic<bool>> hangs_ = std::make_shared<std::atomic<bool>>(true);
};

}  // namespace

TEST_CASE("After a power cut amid removal a store verifies, lacks nothing it need not, and goes on",
          "[long]") {
  UnsyncedVfs& vfs = UnsyncedVfs::instance();
  vfs.clear();
  RetentionFixture fixture;
  WriterOptions options = fixture.options();
  options.vfs = vfs.name();
  options.retention.keep_undelivered = false;
  constexpr int kCuts = invlog::tests::kSanitized ? 5 : 25;
  WriterOptions unlimited = options;
  unlimited.retention.max_size_bytes = 0;
  std::int64_t number = 0;
  {
    Store store(unlimited);
    while (number < 500) {
      if (store.segment_due()) {
        store.close_segment();
      }
      store.add(noisy_record(++number, kBodyBytes));
      store.commit();
    }
    store.close();
  }
  PowerCuts power(fixture);
  power.acknowledged = number;
  Store store(options);
  // First it shrinks to its new limit, then it stays there.
  power.seldom = 150;
  power.most = kCuts;
  while (store.tidy()) {
    power.check(options);
  }
  CHECK(power.cuts == kCuts);
  power.seldom = 30;
  power.most = 2 * kCuts;
  while (power.cuts < power.most) {
    REQUIRE(number < 2000);
    if (store.segment_due()) {
      store.close_segment();
    }
    store.add(noisy_record(++number, kBodyBytes));
    store.commit();
    power.acknowledged = number;
    store.tidy();
    power.check(options);
  }
  CHECK(fixture.first_record() > 200);
  CHECK(power.dropped > 100);
  store.close();
  vfs.clear();
}

TEST_CASE("A disk that hangs while old segments are taken away counts as failing") {
  UnsyncedVfs& vfs = UnsyncedVfs::instance();
  vfs.clear();
  RetentionFixture fixture;
  WriterOptions options = fixture.options();
  options.vfs = vfs.name();
  options.retention.max_size_bytes = 0;
  options.retention.max_age = std::chrono::hours(1);
  options.retention.keep_undelivered = false;
  options.longest_attempt = std::chrono::milliseconds(20);
  options.queue_bytes = 1;
  {
    Writer writer(options);
    REQUIRE(submit_and_wait(writer, noisy_record(1, 100)));
  }
  {
    Writer writer(options);
    const HangingDisk disk;
    *fixture.now += 3 * kHourUs;
    CHECK(comes_true([&] { return writer.status().failing; }));
    CHECK(contains(writer.status().last_error, "the disk has not answered"));
    submit(writer, noisy_record(2, 100));
    std::unique_ptr<PendingRecord> more = std::make_unique<ReadyRecord>(noisy_record(3, 100));
    CHECK(writer.submit(more) == Submitted::failed);
    disk.answer();
    CHECK(comes_true([&] { return !writer.status().failing; }));
    CHECK(comes_true([&] { return fixture.first_record() == 2; }));
  }
  vfs.clear();
  fixture.check_whole();
}

TEST_CASE("Removal that fails on the way is made up for, and its cause is said") {
  UnsyncedVfs& vfs = UnsyncedVfs::instance();
  vfs.clear();
  RetentionFixture fixture;
  WriterOptions options = fixture.options();
  options.vfs = vfs.name();
  options.retention.keep_undelivered = false;
  {
    Store store(options);
    std::int64_t number = 0;
    const auto add = [&] {
      if (store.segment_due()) {
        store.close_segment();
      }
      store.add(noisy_record(++number, kBodyBytes));
      store.commit();
    };
    while (fixture.number("SELECT count(*) FROM event WHERE kind = 'retention'") == 0) {
      REQUIRE(number < 1000);
      add();
    }
    // The segment's row is gone, its chunks are not.
    const std::int64_t before = fixture.number("SELECT count(*) FROM chunk");
    vfs.fail_writes(SQLITE_IOERR_WRITE);
    CHECK_THROWS_AS(store.tidy(), StoreError);
    vfs.fail_writes(0);
    CHECK(fixture.number("SELECT count(*) FROM chunk") == before);
    for (int i = 0; i < 200; ++i) {
      add();
      while (store.tidy()) {
      }
    }
    CHECK(fixture.number("SELECT count(*) FROM chunk WHERE id >> 24 < (SELECT min(id) FROM "
                         "segment)") == 0);
    store.close();
  }
  vfs.clear();
  fixture.check_whole();
}
