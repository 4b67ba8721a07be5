#include "storage/retention.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>

#include "storage/reader.h"
#include "storage/retention_base.h"
#include "storage/store.h"
#include "storage/store_error.h"
#include "storage/trail_ledger.h"
#include "storage/verify.h"
#include "tests/catch.h"
#include "tests/contains.h"
#include "tests/unit/storage/retention_fixture.h"

using namespace invlog::storage;
using invlog::tests::contains;

namespace {

constexpr std::uint64_t kMost = kCap + kCap / 20;

// Until nothing is due any more.
void tidy(Store& store) {
  for (int step = 0; store.tidy(); ++step) {
    REQUIRE(step < 100'000);
  }
}

void write(Store& store, std::int64_t first, std::int64_t last, std::size_t bytes) {
  for (std::int64_t number = first; number <= last; ++number) {
    if (store.segment_due()) {
      store.close_segment();
    }
    store.add(noisy_record(number, bytes));
    store.commit();
  }
}

// As `invlog reconcile` writes them, those with the numbers first .. last, a minute from one to the
// next, in pages that random ids spread over.
void add_unseen(const RetentionFixture& fixture, std::int64_t first, std::int64_t last) {
  auto ledger = TrailLedger::open(fixture.store.path());
  REQUIRE(ledger.has_value());
  TrailLedger::Changes changes;
  for (std::int64_t number = first; number <= last; ++number) {
    UnseenCall call;
    call.event_id = std::to_string(static_cast<std::uint64_t>(number) * 0x9e3779b97f4a7c15) + "-" +
                    std::to_string(number);
    call.at_us = fixture.now->load() + number * 60 * kSecondUs;
    call.request_id = "request " + std::to_string(number);
    call.principal = std::string(600, 'p');
    changes.unseen.push_back(std::move(call));
  }
  (*ledger)->apply(changes);
}

// A minute's refused tunnels to hosts that somebody made up.
void add_refusals(Store& store, std::int64_t& number) {
  for (int i = 0; i < 256; ++i) {
    store.add_event("proxy-refused", std::nullopt,
                    R"({"host":")" + std::string(200, 'h') + std::to_string(++number) + "\"}");
  }
  store.commit();
}

// Submits records until the store is full; returns how many there are, committed or queued.
std::int64_t fill_until_full(Writer& writer, const std::function<void(bool)>& committed,
                             const std::function<void()>& look) {
  std::int64_t sent = 0;
  while (!writer.status().failing) {
    REQUIRE(sent < 2000);
    std::unique_ptr<PendingRecord> pending =
        std::make_unique<ReadyRecord>(noisy_record(sent + 1, 25'000));
    if (writer.submit(pending, committed) == Submitted::queued) {
      ++sent;
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    look();
  }
  return sent;
}

// Writes more than the write-ahead log may hold, and less than the queue.
void write_much(Writer& writer, std::int64_t& number) {
  for (int i = 0; i < 120 && !writer.status().failing; ++i) {
    submit(writer, noisy_record(++number, 25'000));
  }
  CHECK(comes_true([&] { return writer.status().failing || writer.status().queued_records == 0; }));
}

// Reads all there is, again and again, while records come and go.
class BusyReader {
 public:
  explicit BusyReader(const std::string& path) : thread_([this, path] { run(path); }) {}
  ~BusyReader() { stop(); }
  void stop() {
    stopping_ = true;
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  std::atomic<std::int64_t> passes{0}, wrong{0};

 private:
  void run(const std::string& path) {
    auto reader = Reader::open(path);
    while (!stopping_) {
      try {
        std::int64_t last = 0;
        (*reader)->each(1, Bodies::response, [&](StoredRecord& record) {
          // Unless retention has taken what lies between.
          const bool follows =
              last == 0 || record.id == last + 1 ||
              (record.id > last && (*reader)->find(record.id - 1, Bodies::none) == std::nullopt);
          last = record.id;
          wrong += follows && record.record.response.bytes == std::to_string(record.id) ? 0 : 1;
          return !stopping_;
        });
        static_cast<void>((*reader)->find(1, Bodies::both));  // gone, at last, but no error
        ++passes;
      } catch (const StoreError&) {
        ++wrong;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }

  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace

TEST_CASE("A week with every destination down stays within max_size, oldest segments first",
          "[long]") {
  RetentionFixture week;
  WriterOptions options = week.options();
  options.retention.keep_undelivered = false;
  constexpr std::int64_t kRecords = 7 * 24 * 12;
  std::uint64_t peak = 0;
  {
    Writer writer(options);
    auto ledger = week.ledger();
    BusyReader reader(week.store.path());
    for (std::int64_t number = 1; number <= kRecords; ++number) {
      *week.now += kHourUs / 12;
      REQUIRE(submit_and_wait(writer, noisy_record(number, 25'000)));
      peak = std::max(peak, week.size());
      ledger->note_failure("s3", "connection refused", true);
      peak = std::max(peak, week.size());
    }
    reader.stop();
    CHECK(reader.passes > 0);
    CHECK(reader.wrong == 0);
    CHECK(!writer.status().failing);
    CHECK(writer.status().retention_error.empty());
    CHECK(writer.status().committed == kRecords);
  }
  INFO("peak " << peak);
  CHECK(peak <= kMost);
  CHECK(peak > kCap / 10 * 9);  // and it is used
  CHECK(week.size() <= kMost);
  CHECK(week.last_record() == kRecords);
  const std::int64_t first = week.first_record();
  CHECK(first > kRecords / 2);
  CHECK(week.number("SELECT count(*) FROM record") == kRecords - first + 1);
  week.check_whole();
  // What the destination has not got is counted.
  CHECK(week.ledger()->state("s3").cursor == first - 1);
  CHECK(week.ledger()->backlog("s3").records == kRecords - first + 1);
  CHECK(week.number("SELECT details ->> '$.base.undelivered.s3' FROM event WHERE kind = "
                    "'retention' ORDER BY id DESC LIMIT 1") == first - 1);
  // Events of what is gone do not pile up.
  CHECK(week.number("SELECT count(*) FROM event WHERE kind = 'retention'") < 100);
  // Ids go on where they were.
  Writer writer(options);
  REQUIRE(submit_and_wait(writer, noisy_record(kRecords + 1, 10)));
  CHECK(week.last_record() == kRecords + 1);
}

TEST_CASE("At max_size with nothing delivered a commit fails as on a full disk, until delivery") {
  RetentionFixture full;
  std::atomic<std::int64_t> committed{0};
  std::int64_t sent = 0;
  std::uint64_t peak = 0;
  {
    Writer writer(full.options());
    auto ledger = full.ledger();
    sent = fill_until_full(
        writer, [&](bool ok) { committed += ok ? 1 : 0; },
        [&] { peak = std::max(peak, full.size()); });
    const std::int64_t kept = committed;
    CHECK(kept > 500);
    const std::string error = writer.status().last_error;
    INFO(error);
    CHECK(contains(error, full.store.path()));
    CHECK(contains(error, "has reached max_size (16 MiB)"));
    CHECK(contains(error, "s3 lacks " + std::to_string(full.last_record())));
    CHECK(full.first_record() == 1);
    // The ledger goes on being written.
    for (int i = 0; i < 1000; ++i) {
      ledger->note_failure("s3", "connection refused", true);
    }
    CHECK(comes_true([&] { return full.size() <= kMost; }));

    DeliveryLedger::Delivered delivered;
    delivered.last = kept / 2;
    delivered.records = kept / 2;
    ledger->advance("s3", delivered);
    CHECK(comes_true([&] { return committed == sent && !writer.status().failing; }));
    for (int i = 0; i < 50; ++i) {
      REQUIRE(submit_and_wait(writer, noisy_record(++sent, 25'000)));
      peak = std::max(peak, full.size());
    }
    CHECK(writer.status().dropped == 0);
    CHECK(full.first_record() > 1);
    CHECK(full.first_record() <= kept / 2 + 1);
  }
  CHECK(peak <= kMost);
  CHECK(full.last_record() == sent);
  CHECK(full.number("SELECT count(*) FROM event WHERE kind = 'storage-recovered' AND details LIKE "
                    "'%max_size%'") >= 1);
  CHECK(full.number("SELECT count(*) FROM event WHERE kind = 'retention' AND details LIKE "
                    "'%\"undelivered\":{}}}'") >= 1);
  full.check_whole();
}

TEST_CASE("A full store says at its end what was dropped, and opens again") {
  RetentionFixture full;
  std::atomic<std::int64_t> dropped{0};
  std::int64_t sent = 0;
  {
    Writer writer(full.options());
    sent = fill_until_full(
        writer, [&](bool ok) { dropped += ok ? 0 : 1; }, [] {});
    writer.stop(std::chrono::milliseconds(50));
    CHECK(dropped > 0);
    CHECK(writer.status().dropped == static_cast<std::uint64_t>(dropped));
  }
  CHECK(full.number("SELECT count FROM event WHERE kind = 'dropped'") == dropped);
  CHECK(full.last_record() == sent - dropped);
  CHECK(full.size() <= kMost);
  full.check_whole();
  // A last group that did not fit may have left room for a record or two.
  Writer writer(full.options());
  for (int more = 1; more <= 20; ++more) {
    submit(writer, noisy_record(more, 25'000));
  }
  CHECK(comes_true([&] { return writer.status().failing; }));
  writer.stop(std::chrono::milliseconds(1));
}

TEST_CASE("A full store with requests on record opens, and turns them into records when it can") {
  RetentionFixture full;
  std::int64_t kept = 0;
  {
    WriterOptions options = full.options();
    options.retention.max_size_bytes = 0;
    Writer writer(options);
    for (; kept < 180; ++kept) {
      REQUIRE(submit_and_wait(writer, noisy_record(kept + 1, 100'000)));
    }
    REQUIRE(submit_intent_and_wait(writer, noisy_record(0, 50'000)) != 0);
  }
  {
    Writer writer(full.options());
    CHECK(comes_true([&] { return writer.status().failing; }));
    CHECK(full.last_record() == kept);
    auto ledger = full.ledger();
    DeliveryLedger::Delivered delivered;
    delivered.last = kept;
    ledger->advance("s3", delivered);
    CHECK(comes_true([&] { return full.last_record() == kept + 1; }));
  }
  CHECK(full.number("SELECT count(*) FROM intent") == 0);
  full.check_whole();
}

TEST_CASE("Requests on record leave room for the records that end them") {
  constexpr std::size_t kLarge = 2'600'000;
  RetentionFixture full;
  WriterOptions options = full.options();
  options.retention.keep_undelivered = false;
  options.queue_bytes = 64 << 20;
  Writer writer(options);
  std::atomic<int> kept{0}, refused{0};
  std::vector<Writer::IntentId> intents;
  for (std::int64_t number = 1; number <= 7; ++number) {
    std::unique_ptr<PendingRecord> request =
        std::make_unique<ReadyRecord>(noisy_record(number, kLarge));
    REQUIRE(writer.submit_intent(request, intents.emplace_back(),
                                 [&](bool ok) { ++(ok ? kept : refused); }) == Submitted::queued);
  }
  CHECK(comes_true([&] { return kept + refused == 7; }));
  CHECK(kept == 1);
  std::atomic<int> committed{0};
  for (std::size_t call = 0; call < intents.size(); ++call) {
    submit(
        writer, noisy_record(static_cast<std::int64_t>(call) + 1, kLarge),
        [&](bool ok) { committed += ok ? 1 : 0; }, intents[call]);
  }
  CHECK(comes_true([&] { return committed == 7; }));
  CHECK(!writer.status().failing);
  CHECK(full.number("SELECT count(*) FROM intent") == 0);
  REQUIRE(submit_intent_and_wait(writer, noisy_record(8, kLarge)) != 0);
}

TEST_CASE("A full store refuses requests at once, and takes what ends those that it has") {
  constexpr std::size_t kLarge = 2'600'000;
  RetentionFixture full;
  Writer writer(full.options());
  const Writer::IntentId intent = submit_intent_and_wait(writer, noisy_record(1, kLarge));
  for (std::int64_t number = 2; full.size() + 500'000 < kCap; ++number) {
    REQUIRE(submit_and_wait(writer, noisy_record(number, 25'000)));
  }
  std::atomic<int> kept{0}, refused{0};
  std::unique_ptr<PendingRecord> request = std::make_unique<ReadyRecord>(noisy_record(0, 900'000));
  Writer::IntentId without_room = 0;
  REQUIRE(writer.submit_intent(request, without_room, [&](bool ok) { ++(ok ? kept : refused); }) ==
          Submitted::queued);
  CHECK(comes_true([&] { return refused == 1; }));
  std::atomic<bool> ended{false};
  submit(
      writer, noisy_record(1, kLarge), [&](bool ok) { ended = ok; }, intent);
  CHECK(comes_true([&] { return ended.load(); }));
  CHECK(kept == 0);
  CHECK(full.number("SELECT count(*) FROM intent") == 0);
  CHECK(!writer.status().failing);
}

TEST_CASE("Records older than max_age go with their segments, whole") {
  RetentionFixture aged;
  WriterOptions options = aged.options();
  options.retention.max_size_bytes = 0;
  options.retention.max_age = std::chrono::hours(10);
  options.retention.keep_undelivered = GENERATE(false, true);
  Store store(options);
  constexpr std::int64_t kRecords = 48 * 6;
  for (std::int64_t number = 1; number <= kRecords; ++number) {
    *aged.now += kHourUs / 6;
    write(store, number, number, 300);
    tidy(store);
  }
  const std::int64_t first = aged.first_record();
  if (options.retention.keep_undelivered) {
    CHECK(first == 1);
    DeliveryLedger::Delivered delivered;
    delivered.last = 100;
    aged.ledger()->advance("s3", delivered);
    tidy(store);
    CHECK(aged.first_record() > 90);
    CHECK(aged.first_record() <= 101);
  } else {
    // Ten hours, and a tenth more at most.
    CHECK(kRecords - first + 1 >= 10 * 6);
    CHECK(kRecords - first + 1 <= 12 * 6);
  }
  store.close();
  aged.check_whole();
}

TEST_CASE("One segment closed by a wrong clock neither keeps the others nor takes them along") {
  RetentionFixture aged;
  WriterOptions options = aged.options();
  options.retention.max_size_bytes = 0;
  options.retention.max_age = std::chrono::hours(10);
  options.retention.keep_undelivered = false;
  const std::int64_t wrong = GENERATE(0, 1, 2);
  const std::int64_t by = GENERATE(30 * 24, -365 * 24) * kHourUs;
  CAPTURE(wrong, by);
  const std::int64_t begin = aged.now->load();
  Store store(options);
  for (std::int64_t segment = 0; segment < 5; ++segment) {
    *aged.now = begin + segment * kHourUs / 4 + (segment == wrong ? by : 0);
    write(store, 3 * segment + 1, 3 * segment + 3, 300);
    store.close_segment();
  }
  *aged.now = begin + 2 * kHourUs;
  tidy(store);
  // What was closed first, and a year ago as it says, is gone; what stands behind others is not.
  CHECK(aged.number("SELECT count(*) FROM record") == (wrong == 0 && by < 0 ? 12 : 15));
  *aged.now = begin + 12 * kHourUs;
  tidy(store);
  CHECK(aged.number("SELECT count(*) FROM record") == 0);
  CHECK(aged.number("SELECT json_extract(details, '$.base.undelivered.s3') FROM event WHERE kind = "
                    "'retention' ORDER BY id DESC") == 15);
  store.close();
  aged.check_whole();
}

TEST_CASE("A clock that is set far ahead takes nothing until it has run on for hours") {
  RetentionFixture aged;
  WriterOptions options = aged.options();
  options.retention.max_size_bytes = 0;
  options.retention.max_age = std::chrono::hours(24 * 365);
  options.retention.keep_undelivered = false;
  std::int64_t steady = 0;
  options.steady_clock = [&steady] { return steady; };
  const auto pass = [&](std::int64_t time) {
    *aged.now += time;
    steady += time;
  };
  Store store(options);
  write(store, 1, 3, 300);
  store.close_segment();
  pass(kHourUs);
  tidy(store);
  *aged.now += 450 * 24 * kHourUs;
  for (int second = 0; second < 5; ++second) {
    pass(kSecondUs);
    tidy(store);
  }
  CHECK(aged.number("SELECT count(*) FROM record") == 3);
  CHECK(contains(store.clock_problem(), "the clock was set by 38880000 s"));
  CHECK(store.take_clock_step() == 38'880'000 * kSecondUs);
  CHECK(store.take_clock_step() == 0);
  CHECK(store.take_aged() == 0);
  // A reload of the configuration makes it no more to be trusted.
  store.set_retention({});
  CHECK(store.clock_problem().empty());
  store.set_retention(options.retention);
  tidy(store);
  CHECK(aged.number("SELECT count(*) FROM record") == 3);
  SECTION("set back") {
    *aged.now -= 450 * 24 * kHourUs;
    tidy(store);
    CHECK(contains(store.clock_problem(), "the clock was set by -38880000 s"));
    pass(7 * kHourUs);
    tidy(store);
    CHECK(aged.number("SELECT count(*) FROM record") == 3);
    CHECK(store.clock_problem().empty());
  }
  SECTION("right") {
    pass(7 * kHourUs);
    tidy(store);
    CHECK(aged.number("SELECT count(*) FROM record") == 0);
    CHECK(store.clock_problem().empty());
    CHECK(store.take_aged() == 3);
  }
}

TEST_CASE("Nothing goes by age right after the start, when the time may not be known yet") {
  RetentionFixture aged;
  WriterOptions options = aged.options();
  options.retention.max_size_bytes = 0;
  options.retention.max_age = std::chrono::hours(240);
  options.retention.keep_undelivered = false;
  {
    Store store(options);
    write(store, 1, 3, 300);
    store.close_segment();
    *aged.now += 480 * kHourUs;
    Record newest = noisy_record(4, 300);
    newest.started_at_us = aged.now->load();
    store.add(std::move(newest));
    store.commit();
    SECTION("the usual") {}
    SECTION("the clock was set before it") {
      store.add_event("clock-set", std::nullopt, "{}");
      store.commit();
    }
    SECTION("it was off for long") {
      *aged.now += 25 * kHourUs;
    }
    store.close();
  }
  const bool was_set = aged.number("SELECT count(*) FROM event WHERE kind = 'clock-set'") == 1;
  const bool was_off =
      aged.now->load() - aged.number("SELECT started_at FROM record WHERE id = 4") > kHourUs;
  Store store(options);
  const auto records = [&] {
    tidy(store);
    return aged.number("SELECT count(*) FROM record");
  };
  CHECK(records() == 4);
  CHECK(store.clock_problem().empty() == (!was_set && !was_off));
  CHECK((store.take_clock_step() != 0) == was_off);  // the other one is in the store already
  *aged.now += 11 * 60 * kSecondUs;
  CHECK(records() == (was_set || was_off ? 4 : 1));
  *aged.now += 6 * kHourUs;
  CHECK(records() == 1);
  CHECK(store.clock_problem().empty());
}

TEST_CASE("What a crash left open ages from when its last record came") {
  RetentionFixture aged;
  WriterOptions options = aged.options();
  options.retention.max_size_bytes = 0;
  options.retention.max_age = std::chrono::hours(10);
  options.retention.keep_undelivered = false;
  Store store(options);
  Record last = noisy_record(1, 300);
  const std::int64_t hours = GENERATE(0, 95);  // that the segment was open; with no machine asleep
  last.started_at_us = aged.now->load() + hours * kHourUs;
  store.add(std::move(last));
  store.commit();
  *aged.now += 100 * kHourUs;
  store.close_segment();  // as at the next start
  tidy(store);
  CHECK(aged.number("SELECT count(*) FROM record") == (hours == 0 ? 0 : 1));
  store.close();
}

TEST_CASE("What is taken away goes back to the file system in small steps") {
  RetentionFixture large;
  WriterOptions options = large.options();
  options.retention.max_size_bytes = 0;
  {
    Store store(options);
    write(store, 1, 1600, 25'000);
    store.close();
  }
  REQUIRE(large.size() > 2 * kCap);
  options.retention.max_size_bytes = kCap;
  options.retention.keep_undelivered = false;
  {
    Store store(options);
    std::uint64_t size = large.size();
    int shrinking = 0;
    while (store.tidy()) {
      const std::uint64_t after = large.size();
      CHECK(after < size + (4 << 20));
      shrinking += after < size ? 1 : 0;
      size = after;
    }
    CHECK(shrinking > 10);
    CHECK(large.size() <= kMost);
    CHECK(large.first_record() > 1);
    write(store, 1601, 1700, 25'000);
    CHECK(large.size() <= kMost);
    store.close();
  }
  CHECK(large.last_record() == 1700);
  large.check_whole();
}

TEST_CASE("A store older than incremental vacuum keeps its length and uses its pages again") {
  RetentionFixture old;
  WriterOptions options = old.options();
  options.retention.keep_undelivered = false;
  {
    Store store(options);
    write(store, 1, 300, 25'000);
    store.close();
  }
  old.store.tamper("PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM");
  REQUIRE(old.number("PRAGMA auto_vacuum") == 0);
  {
    Store store(options);
    for (std::int64_t number = 301; number <= 2000; ++number) {
      write(store, number, number, 25'000);
      tidy(store);
      REQUIRE(old.size() <= kMost);
    }
    store.close();
  }
  CHECK(old.last_record() == 2000);
  CHECK(old.first_record() > 1000);
  old.check_whole();
}

TEST_CASE("Without destinations everything may go, and one record larger than the rest passes") {
  RetentionFixture alone;
  WriterOptions options = alone.options();
  options.retention.destinations.clear();
  Writer writer(options);
  for (std::int64_t number = 1; number <= 40; ++number) {
    REQUIRE(submit_and_wait(writer, noisy_record(number, 3'000'000)));
    REQUIRE(alone.size() <= kMost);
  }
  CHECK(alone.first_record() > 30);
  CHECK(!writer.status().failing);
}

TEST_CASE("New labels are counted before a commit makes them") {
  RetentionFixture fixture;
  Store store(fixture.options());
  write(store, 1, 150, 100'000);
  REQUIRE(fixture.size() > 14'500'000);
  for (std::int64_t number = 151; number <= 160; ++number) {
    Record record = noisy_record(number, 10);
    record.model_id = std::to_string(number) + std::string(64 * 1024, 'm');
    store.add(std::move(record));
  }
  CHECK_THROWS_WITH(store.commit(), contains_text("max_size"));
  CHECK(fixture.size() <= kMost);
  CHECK(fixture.number("SELECT count(*) FROM label WHERE length(text) > 60000") == 0);
  DeliveryLedger::Delivered delivered;
  delivered.last = delivered.records = fixture.last_record();
  fixture.ledger()->advance("s3", delivered);
  store.commit();
  CHECK(fixture.size() <= kMost);
  CHECK(fixture.number("SELECT count(*) FROM label WHERE length(text) > 60000") == 10);
}

TEST_CASE("Long details count where a segment ends, so that a store of them goes round") {
  RetentionFixture full;
  WriterOptions options = full.options();
  options.retention.keep_undelivered = false;
  Store store(options);
  for (std::int64_t number = 1; number <= 400; ++number) {
    if (store.segment_due()) {
      store.close_segment();
    }
    Record record = noisy_record(number, 100);
    record.details = "{\"long\":\"" + std::string(60'000, 'x') + "\"}";
    store.add(std::move(record));
    REQUIRE_NOTHROW(store.commit());
  }
  CHECK(full.first_record() > 100);
  CHECK(full.first_record() < 250);  // no more goes than has to
  CHECK(full.size() <= kMost);
  store.close();
  full.check_whole();
}

TEST_CASE("A running writer takes a new limit, also while it waits for room") {
  RetentionFixture full;
  WriterOptions options = full.options();
  options.retention.max_size_bytes = 0;
  Writer writer(options);
  for (std::int64_t number = 1; number <= 12; ++number) {
    REQUIRE(submit_and_wait(writer, noisy_record(number, 3'000'000)));
  }
  CHECK(full.size() > kMost);
  // Nothing is delivered: with the limit nothing may go, and the next commit finds no room.
  writer.set_retention(full.options().retention);
  std::atomic<bool> committed{false};
  submit(writer, noisy_record(13, 3'000'000), [&committed](bool ok) { committed = ok; });
  REQUIRE(comes_true([&] { return writer.status().failing; }));
  CHECK(contains(writer.status().last_error, "max_size"));
  // Told that everything may go, it goes on with what it has.
  RetentionOptions loose = full.options().retention;
  loose.keep_undelivered = false;
  writer.set_retention(loose);
  CHECK(comes_true([&] { return committed.load(); }));
  CHECK(comes_true([&] { return full.size() <= kMost; }));
  CHECK(full.first_record() > 1);
  CHECK(!writer.status().failing);
  writer.stop();
  full.check_whole();
}

TEST_CASE("A file that a new limit makes too long becomes shorter while records come") {
  RetentionFixture full;
  WriterOptions options = full.options();
  options.retention.max_size_bytes = 0;
  Writer writer(options);
  for (std::int64_t number = 1; number <= 12; ++number) {
    REQUIRE(submit_and_wait(writer, noisy_record(number, 3'000'000)));
  }
  REQUIRE(full.size() > 2 * kMost);
  RetentionOptions limited = full.options().retention;
  limited.keep_undelivered = false;
  writer.set_retention(limited);
  int records = 0;
  do {
    REQUIRE(submit_and_wait(writer, noisy_record(13 + records, 100'000)));
  } while (full.size() > kMost && ++records < 150);
  CHECK(full.size() <= kMost);
  writer.stop();
  full.check_whole();
}

TEST_CASE("An open segment that is longer than a new limit allows ends, and may go") {
  RetentionFixture full;
  WriterOptions options = full.options();
  options.retention = {};
  options.segment_bytes = 256 << 20;
  Writer writer(options);
  for (std::int64_t number = 1; number <= 8; ++number) {
    REQUIRE(submit_and_wait(writer, noisy_record(number, 3'000'000)));
  }
  REQUIRE(full.size() > kMost);
  REQUIRE(full.number("SELECT count(*) FROM segment WHERE closed_at IS NOT NULL") == 0);
  RetentionOptions limited = full.options().retention;
  limited.keep_undelivered = false;
  writer.set_retention(limited);
  // At once: a writer that has nothing to do would close it by itself.
  std::atomic<bool> committed{false};
  submit(writer, noisy_record(9, 25'000), [&committed](bool ok) { committed = ok; });
  CHECK(comes_true([&] { return committed.load(); }));
  CHECK(full.first_record() == 9);
  CHECK(comes_true([&] { return full.size() <= kMost; }));
  CHECK(!writer.status().failing);
  writer.stop();
  full.check_whole();
}

TEST_CASE("A max_size that holds no segment is refused") {
  RetentionFixture tiny;
  WriterOptions options = tiny.options();
  options.retention.max_size_bytes = 1 << 20;
  try {
    Writer writer(options);
    FAIL("accepted");
  } catch (const StoreError& error) {
    CHECK(contains(error.what(), "max_size must be at least 16 MiB"));
  }
}

TEST_CASE("verify accepts a store that begins at a later segment only as its event says",
          "[long]") {
  RetentionFixture fixture;
  WriterOptions options = fixture.options();
  options.retention.keep_undelivered = false;
  {
    Writer writer(options);
    writer.record_event("started", "");
    for (std::int64_t number = 1; number <= 900; ++number) {
      REQUIRE(submit_and_wait(writer, noisy_record(number, 25'000)));
    }
  }
  const std::int64_t first = fixture.number("SELECT min(id) FROM segment");
  REQUIRE(first > 1);
  fixture.check_whole();
  const auto taken = verify_store(fixture.store.path(), {}).taken;
  REQUIRE(taken.has_value());
  CHECK(taken->last_segment == first - 1);
  CHECK(taken->last_record == fixture.first_record() - 1);
  CHECK(taken->event == fixture.number("SELECT max(id) FROM event WHERE kind = 'retention'"));
  CHECK(taken->at_us == fixture.now->load());
  const std::string original = fixture.store.directory() / "original";
  std::filesystem::copy_file(fixture.store.path(), original);
  const std::string newest = "(SELECT max(id) FROM event WHERE kind = 'retention')";
  const std::string changes[] = {
      // Who it is of: what stayed of the birth.
      "UPDATE store SET host = 'another'",
      "UPDATE event SET details = json_set(details, '$.host', 'another') WHERE id = 1",
      // One more segment is cut off.
      "DELETE FROM record WHERE id <= (SELECT min(last_record) FROM segment); DELETE FROM chunk "
      "WHERE id >> 24 <= (SELECT min(id) FROM segment); DELETE FROM segment WHERE id = (SELECT "
      "min(id) FROM segment)",
      // The event is gone, says another chain value, or nothing.
      "DELETE FROM event WHERE kind = 'retention'",
      "UPDATE event SET details = json_set(details, '$.base.chain', "
      "replace(details ->> '$.base.chain', substr(details ->> '$.base.chain', 1, 1), 'x')) WHERE "
      "id = " +
          newest,
      "UPDATE event SET details = json_set(details, '$.base.chain', '" + std::string(64, '0') +
          "') WHERE id = " + newest,
      "UPDATE event SET details = 'x' WHERE id = " + newest,
      "UPDATE event SET details = NULL WHERE id = " + newest,
      // What stayed of the segments that went.
      "UPDATE label SET text = 'x' WHERE id = 1",
      "UPDATE event SET kind = 'x' WHERE kind = 'started'",
      "DELETE FROM event WHERE kind = 'started'",
      "INSERT INTO event(id, at, kind) VALUES (-1, 1, 'retention')",
      // A record of what went.
      "INSERT INTO record(id, started_at, flags, request_bytes, response_bytes, checksum) VALUES "
      "(1, 1, 0, 0, 0, 0)"};
  for (const std::string& change : changes) {
    INFO(change);
    std::filesystem::copy_file(original, fixture.store.path(),
                               std::filesystem::copy_options::overwrite_existing);
    fixture.store.tamper(change);
    CHECK(!verify_store(fixture.store.path(), {}).problems.empty());
  }
}

TEST_CASE("Calls that CloudTrail knows do not fill a store: those over an eighth go, oldest first",
          "[long]") {
  RetentionFixture fleet;
  WriterOptions options = fleet.options();
  options.retention.destinations.clear();
  Store store(options);
  write(store, 1, 40, 25'000);
  constexpr std::int64_t kCalls = 25'000;
  add_unseen(fleet, 1, kCalls);
  REQUIRE(fleet.size() > kCap);
  write(store, 41, 400, 25'000);
  tidy(store);
  CHECK(fleet.number("SELECT count(*) FROM record") == 400);
  CHECK(fleet.size() <= kMost);
  const std::int64_t left = fleet.number("SELECT count(*) FROM unseen_call");
  CHECK((left > 0 && left < kCalls / 2));
  CHECK(fleet.number("SELECT count(*) FROM unseen_call WHERE request_id = 'request " +
                     std::to_string(kCalls) + "'") == 1);
  CHECK(fleet.number("SELECT min(at) FROM unseen_call") ==
        fleet.now->load() + (kCalls - left + 1) * 60 * kSecondUs);
  // And before a store is full, all of them do.
  options.retention.destinations = {"s3"};
  store.set_retention(options.retention);
  try {
    write(store, 401, 2000, 25'000);
    FAIL_CHECK("a store that may let nothing go took records without end");
  } catch (const StoreError& error) {
    CHECK(contains(error.what(), "s3 lacks"));
    store.drop_group();
  }
  CHECK(fleet.number("SELECT count(*) FROM unseen_call") == 0);
  CHECK(fleet.first_record() == 1);
  store.close();
  fleet.check_whole();
}

TEST_CASE("A commit does not wait for thousands of calls that CloudTrail knows to go", "[long]") {
  RetentionFixture fleet;
  WriterOptions options = fleet.options();
  options.retention.destinations.clear();
  options.clock = [now = fleet.now] { return now->fetch_add(kSecondUs / 30); };
  Store store(options);
  write(store, 1, 60, 25'000);
  constexpr std::int64_t kCalls = 25'000;
  add_unseen(fleet, 1, kCalls);
  REQUIRE(fleet.size() > kCap);
  REQUIRE(fleet.first_record() == 1);
  int told = 0;
  store.when_busy([&told](const std::string& activity) {
    CHECK(activity == "it has reached max_size, and room is being made");
    ++told;
  });
  write(store, 61, 61, 25'000);
  CHECK(told > 1);
  CHECK(fleet.last_record() == 61);
  CHECK(fleet.first_record() > 1);
  const std::int64_t left = fleet.number("SELECT count(*) FROM unseen_call");
  CHECK((left < kCalls && left > options.retention.unseen_share()));
}

TEST_CASE("Calls that CloudTrail knows go at max_age") {
  RetentionFixture fleet;
  WriterOptions options = fleet.options();
  options.retention = {};
  options.retention.max_age = std::chrono::hours(10);
  Store store(options);
  add_unseen(fleet, 1, 2000);
  *fleet.now += 20 * kHourUs;
  tidy(store);
  CHECK(fleet.number("SELECT count(*) FROM unseen_call") == 2000 - 599);
  CHECK(fleet.number("SELECT min(at) FROM unseen_call") == fleet.now->load() - 10 * kHourUs);
}

TEST_CASE("A head whose segment went at max_age cannot be compared, which may be no problem") {
  RetentionFixture idle;
  WriterOptions options = idle.options();
  options.retention = {};
  options.retention.max_age = std::chrono::hours(10);
  Store store(options);
  write(store, 1, 3, 100);
  store.close_segment();
  const VerifyReport whole = verify_store(idle.store.path(), {});
  KnownHead head{whole.chain_segment, from_hex(whole.chain_head).value(), "a copy"};
  write(store, 4, 6, 100);
  store.close_segment();
  *idle.now += 20 * kHourUs;
  tidy(store);
  REQUIRE(idle.number("SELECT count(*) FROM record") == 0);
  VerifyReport report = verify_store(idle.store.path(), {}, {head});
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems[0].where == "head of segment " + std::to_string(head.segment));
  CHECK(report.notes.empty());
  head.taken = KnownHead::Taken::note;
  report = verify_store(idle.store.path(), {}, {head});
  CHECK(report.problems.empty());
  REQUIRE(report.notes.size() == 1);
  CHECK(contains(report.notes[0].what, "retention has taken the segment, so that a copy"));
  CHECK(report.heads == 0);
  head.taken = KnownHead::Taken::nothing;
  report = verify_store(idle.store.path(), {}, {head});
  CHECK(report.problems.empty());
  CHECK(report.notes.empty());
}

TEST_CASE("Events of what anybody can name do not fill a store, and go with their segments") {
  RetentionFixture host;
  WriterOptions options = host.options();
  options.retention.destinations.clear();
  Store store(options);
  write(store, 1, 40, 25'000);
  store.add_event("profile-changed", std::nullopt, "");
  std::int64_t number = 0;
  for (int minute = 0; minute < 60 * 6; ++minute) {
    *host.now += 60 * kSecondUs;
    add_refusals(store, number);
  }
  tidy(store);
  const char* const kRefusals = "SELECT count(*) FROM event WHERE kind = 'proxy-refused'";
  const std::int64_t most = host.number(kRefusals);
  CHECK((most > 1000 && most < 10'000));
  CHECK(host.size() <= kMost);
  CHECK(host.number("SELECT count(*) FROM event WHERE kind = 'events-dropped'") == 1);
  // Once a day it is said how many were left out.
  *host.now += 24 * kHourUs;
  add_refusals(store, number);
  CHECK(host.number("SELECT sum(count) FROM event WHERE kind = 'events-dropped' AND details = "
                    "'{\"why\":\"max_size\"}'") == number - most - 255);
  // Calls push the segments out that cover those events, and others have room again.
  write(store, 41, 1200, 25'000);
  tidy(store);
  CHECK(host.first_record() > 41);
  CHECK(host.number(kRefusals) == 0);
  CHECK(host.number("SELECT count(*) FROM event WHERE kind = 'profile-changed'") == 1);
  add_refusals(store, number);
  CHECK(host.number(kRefusals) == 256);
  store.close();
  host.check_whole();
  CHECK(host.number("SELECT sum(count) FROM event WHERE kind = 'events-dropped'") ==
        number - most - 256);
  // What stays is still in a digest.
  host.store.tamper("UPDATE event SET at = at + 1 WHERE kind = 'profile-changed'");
  CHECK(!verify_store(host.store.path(), {}).problems.empty());
}

TEST_CASE("A base that an earlier invlog wrote covers all events but retention's own") {
  RetentionFixture host;
  {
    Store store(host.options());
    store.add_event("proxy-refused", std::nullopt, "{}");
    store.add_event("profile-changed", std::nullopt, "");
    store.commit();
  }
  const std::string zeros(64, '0');
  host.store.tamper(
      R"(INSERT INTO event(at, kind, count, details) VALUES (1, 'retention', 1, '{"base":{)"
      R"("segment":1,"record":1,"label":0,"event":2,"chain":")" +
      zeros + R"(","labels":")" + zeros + R"(","events":")" + zeros + R"("}}'))");
  auto reader = Reader::open(host.store.path());
  REQUIRE(reader.has_value());
  sqlite3* const connection = (*reader)->connection();
  const RetentionBase base = read_retention_base(connection);
  CHECK((base.readable && base.passing_after == 2));
  RetentionBase nothing;
  const Sha256 without = kept_events_digest(connection, nothing, 2);
  nothing.passing_after = base.passing_after;
  CHECK(kept_events_digest(connection, nothing, 2) != without);
}

TEST_CASE("The event of a retention does not take the id of one that goes") {
  RetentionFixture quiet;
  WriterOptions options = quiet.options();
  options.retention = {};
  options.retention.max_age = std::chrono::hours(100);
  Store store(options);
  for (std::int64_t number = 1; number <= 3; ++number) {
    write(store, number, number, 100);
    *quiet.now += 60 * kHourUs;
    tidy(store);
    store.close_segment();
  }
  *quiet.now += 1000 * kHourUs;
  tidy(store);
  store.close();
  quiet.check_whole();
}

TEST_CASE("A store whose first segment was cut off without an event does not verify") {
  TemporaryStore store;
  {
    WriterOptions options = store.options();
    options.segment_bytes = 8 * 1024;
    Writer writer(options);
    for (std::int64_t number = 1; number <= 20; ++number) {
      REQUIRE(submit_and_wait(writer, noisy_record(number, 4000)));
    }
  }
  store.tamper(
      "DELETE FROM record WHERE id <= (SELECT min(last_record) FROM segment); DELETE FROM chunk "
      "WHERE id >> 24 <= (SELECT min(id) FROM segment); DELETE FROM segment WHERE id = (SELECT "
      "min(id) FROM segment)");
  CHECK(!verify_store(store.path(), {}).problems.empty());
}

TEST_CASE("A plan that covers what is taken away is dropped, and the rest goes on behind it") {
  RetentionFixture fixture;
  WriterOptions options = fixture.options();
  options.retention.keep_undelivered = false;
  Writer writer(options);
  for (std::int64_t number = 1; number <= 100; ++number) {
    REQUIRE(submit_and_wait(writer, noisy_record(number, 25'000)));
  }
  auto ledger = fixture.ledger();
  ledger->put_plan("s3", 90, "{}", "s3://bucket");
  CHECK(ledger->backlog("s3").records == 100);
  std::int64_t number = 100;
  while (fixture.first_record() < 40) {
    REQUIRE(number < 1500);
    REQUIRE(submit_and_wait(writer, noisy_record(++number, 25'000)));
  }
  const DeliveryState state = ledger->state("s3");
  CHECK(state.planned_last == 0);
  CHECK(state.plan.empty());
  CHECK(state.cursor == fixture.first_record() - 1);
  CHECK(ledger->backlog("s3").records == number - state.cursor);
  // A batch that was under way does not take the cursor back.
  DeliveryLedger::Delivered late;
  late.last = 20;
  DeadLetter gone;
  gone.record = 20;
  gone.reason = "too old";
  late.refused = {gone};
  ledger->advance("s3", late);
  CHECK(ledger->count_dead_letters("s3") == 0);  // it is counted, and cannot be tried again
  CHECK(ledger->state("s3").cursor >= state.cursor);
}

TEST_CASE("A dead letter goes with its record, which counts as undelivered, once", "[long]") {
  RetentionFixture fixture;
  Writer writer(fixture.options());
  auto ledger = fixture.ledger();
  std::int64_t number = 0;
  DeliveryLedger::Delivered delivered;
  const auto refused = [](std::int64_t record) {
    DeadLetter letter;
    letter.record = record;
    letter.reason = "too old";
    return letter;
  };
  const auto send = [&](std::vector<DeadLetter> letters) {
    delivered.last = number;
    delivered.refused = std::move(letters);
    ledger->advance("s3", delivered);
  };
  const auto go_on_until_first_is = [&](std::int64_t first) {
    while (fixture.first_record() < first) {
      REQUIRE(number < 1500);
      REQUIRE(submit_and_wait(writer, noisy_record(++number, 25'000)));
      send({});
    }
  };
  const auto counted = [&] {
    return fixture.number(
        "SELECT details ->> '$.base.undelivered.s3' FROM event WHERE kind = 'retention' ORDER BY "
        "id DESC LIMIT 1");
  };
  for (; number < 200; ++number) {
    REQUIRE(submit_and_wait(writer, noisy_record(number + 1, 25'000)));
  }
  send({refused(10), refused(11), refused(150), refused(151)});
  ledger->drop_dead_letters({ledger->dead_letters("s3")[1].id});
  go_on_until_first_is(100);
  REQUIRE(fixture.first_record() <= 150);
  CHECK(ledger->count_dead_letters("s3") == 2);
  CHECK(counted() == 1);  // not what somebody dropped
  go_on_until_first_is(200);
  CHECK(ledger->count_dead_letters("s3") == 0);
  CHECK(counted() == 3);
  CHECK(fixture.number("SELECT sum(details ->> '$.dead_letters.s3') FROM event WHERE kind = "
                       "'retention'") <= 3);
  go_on_until_first_is(fixture.first_record() + 50);
  CHECK(counted() == 3);
  CHECK(ledger->state("s3").cursor == number);
  fixture.check_whole();
}

TEST_CASE("A destination that is not configured holds nothing, and is told what went without it") {
  RetentionFixture fixture;
  WriterOptions options = fixture.options();
  options.retention.max_size_bytes = 0;
  options.retention.max_age = std::chrono::hours(10);
  REQUIRE(options.retention.destinations == std::vector<std::string>{"s3"});
  REQUIRE(options.retention.keep_undelivered);
  Store store(options);
  write(store, 1, 3, 300);
  store.close_segment();
  write(store, 4, 6, 300);
  store.close_segment();
  write(store, 7, 9, 300);
  auto ledger = fixture.ledger();
  const auto deliver = [&](const std::string& destination, std::int64_t last,
                           std::vector<DeadLetter> refused = {}) {
    DeliveryLedger::Delivered delivered;
    delivered.last = last;
    delivered.refused = std::move(refused);
    ledger->advance(destination, delivered);
  };
  const auto lost = [&] {
    return fixture.number(
        "SELECT details ->> '$.base.undelivered.cloudwatch_logs' FROM event WHERE kind = "
        "'retention' ORDER BY id DESC LIMIT 1");
  };
  DeadLetter refused;
  refused.record = 1;
  refused.reason = "too old";
  deliver("cloudwatch_logs", 2, {refused});
  ledger->put_plan("cloudwatch_logs", 5, "{}", "group");
  deliver("s3", 3);
  *fixture.now += 12 * kHourUs;
  tidy(store);
  CHECK(fixture.first_record() == 4);  // "s3" is waited for
  CHECK(lost() == 2);                  // the one behind the cursor, and the dead letter
  CHECK(ledger->state("cloudwatch_logs").cursor == 3);
  CHECK(ledger->state("cloudwatch_logs").planned_last == 0);
  CHECK(ledger->state("cloudwatch_logs").plan.empty());
  deliver("s3", 9);
  tidy(store);
  CHECK(fixture.first_record() == 7);
  CHECK(lost() == 5);
  CHECK(ledger->state("cloudwatch_logs").cursor == 6);
  CHECK(ledger->undelivered("cloudwatch_logs") == 3);
  CHECK(fixture.number("SELECT count(*) FROM event WHERE kind = 'retention' AND details ->> "
                       "'$.base.undelivered.s3' IS NOT NULL") == 0);
  store.close();
  fixture.check_whole();
}

TEST_CASE("A record that comes while an idle writer looks for old ones does not wait") {
  // Retention asks for the time without the writer's lock; the record comes right then.
  const int moment = GENERATE(1, 2, 3);
  RetentionFixture fixture;
  std::atomic<Writer*> writing{nullptr};
  std::atomic<int> calls{0};
  std::atomic<bool> committed{false}, sent{false};
  std::thread sender;
  WriterOptions options = fixture.options();
  options.retention.max_age = std::chrono::hours(1);
  options.clock = [&] {
    if (Writer* const writer = writing; writer != nullptr && ++calls == moment) {
      sender = std::thread([&committed, &sent, writer] {
        std::unique_ptr<PendingRecord> pending =
            std::make_unique<ReadyRecord>(record_with("now", ""));
        writer->submit(pending, [&committed](bool ok) { committed = ok; });
        sent = true;
      });
      for (int i = 0; i < 100 && !sent; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
    return fixture.now->load();
  };
  Writer writer(options);
  writing = &writer;
  writer.record_event("started", "");
  CHECK(comes_true([&] { return committed.load(); }));
  writing = nullptr;
  writer.stop();
  if (sender.joinable()) {
    sender.join();
  }
}

TEST_CASE("Somebody who reads a full store slowly does not keep it from taking records") {
  RetentionFixture fixture;
  WriterOptions options = fixture.options();
  options.retention.keep_undelivered = false;
  Writer writer(options);
  std::int64_t number = 0;
  while (fixture.first_record() <= 1) {
    REQUIRE(submit_and_wait(writer, noisy_record(++number, 25'000)));
  }
  const std::int64_t last = number;
  auto reader = Reader::open(fixture.store.path());
  REQUIRE(reader.has_value());
  std::int64_t visited = 0;
  (*reader)->each(1, Bodies::both, [&](StoredRecord& record) {
    CHECK(record.record.response.bytes == std::to_string(record.id));
    CHECK(record.id <= last);
    if (++visited % 100 == 1) {
      write_much(writer, number);
    }
    return !writer.status().failing;
  });
  CHECK(visited > 100);
  CHECK(!writer.status().failing);
  CHECK(writer.status().last_error.empty());
  CHECK(fixture.size() <= kMost);
}

TEST_CASE("A full store is verified while its writer goes on", "[long]") {
  RetentionFixture fixture;
  WriterOptions options = fixture.options();
  options.retention.keep_undelivered = false;
  Writer writer(options);
  std::int64_t number = 0;
  while (fixture.first_record() <= 1) {
    REQUIRE(submit_and_wait(writer, noisy_record(++number, 25'000)));
  }
  const std::int64_t segments = fixture.number("SELECT count(*) FROM segment");
  std::int64_t seen = 0;
  const VerifyReport report =
      verify_store(fixture.store.path(), [&](std::uint64_t done, std::uint64_t) {
        seen = static_cast<std::int64_t>(done);
        if (seen % 4 == 2) {
          write_much(writer, number);
        }
      });
  for (const VerifyProblem& problem : report.problems) {
    FAIL_CHECK(problem.where << ": " << problem.what);
  }
  CHECK(!writer.status().failing);
  CHECK(writer.status().last_error.empty());
  // Retention took some before their turn.
  CHECK((seen > 5 && seen < segments));
  CHECK(static_cast<std::int64_t>(report.segments) == seen);
  CHECK(report.records > report.segments);
  CHECK(report.chain_segment > 0);
  writer.stop();
  fixture.check_whole();
}

TEST_CASE("What goes while a store is verified, but not by retention, is found", "[long]") {
  RetentionFixture fixture;
  WriterOptions options = fixture.options();
  options.retention.keep_undelivered = false;
  {
    Writer writer(options);
    for (std::int64_t number = 1; number <= 900; ++number) {
      REQUIRE(submit_and_wait(writer, noisy_record(number, 25'000)));
    }
  }
  const std::string original = fixture.store.directory() / "original";
  std::filesystem::copy_file(fixture.store.path(), original);
  const std::string newest = "(SELECT max(id) FROM event WHERE kind = 'retention')";
  const std::string third = "(SELECT min(id) + 2 FROM segment)";
  const auto cut = [](const std::string& which) {
    return "DELETE FROM record WHERE id IN (SELECT r.id FROM record r JOIN segment s ON r.id "
           "BETWEEN "
           "s.first_record AND s.last_record WHERE s.id " +
           which + "); DELETE FROM chunk WHERE id >> 24 IN (SELECT id FROM segment WHERE id " +
           which + "); DELETE FROM segment WHERE id " + which;
  };
  const auto say_again = [&](const std::string& member, const std::string& value) {
    return "INSERT INTO event(at, kind, count, details) SELECT at, kind, count, json_set(details, "
           "'$.base." +
           member + "', " + value + ") FROM event WHERE id = " + newest;
  };
  const std::string changes[] = {
      // Cut off behind, in the middle, in front.
      cut("> " + third), cut("= " + third), cut("<= (SELECT min(id) FROM segment)"),
      // Retention's event says what is not so, of what was read already and of what was not.
      say_again("chain", "'" + std::string(64, '0') + "'"),
      say_again("segment", "(SELECT min(id) + 8 FROM segment)"),
      say_again("labels", "'" + std::string(64, '0') + "'"),
      "UPDATE record SET started_at = started_at + 1 WHERE id = (SELECT max(id) - 5 FROM record)"};
  for (const std::string& change : changes) {
    INFO(change);
    for (const char* suffix : {"", "-wal", "-shm"}) {
      std::filesystem::remove(fixture.store.path() + suffix);
    }
    std::filesystem::copy_file(original, fixture.store.path());
    bool changed = false;
    const VerifyReport report =
        verify_store(fixture.store.path(), [&](std::uint64_t done, std::uint64_t) {
          if (done == 2) {
            fixture.store.tamper(change);
            changed = true;
          }
        });
    CHECK(changed);
    CHECK(!report.problems.empty());
  }
}
