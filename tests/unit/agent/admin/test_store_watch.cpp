#include "agent/admin/store_watch.h"

#include <unistd.h>

#include <ctime>
#include <filesystem>

#include "agent/admin/agent_admin.h"
#include "agent/admin/process_facts.h"
#include "tests/catch.h"
#include "tests/temporary_directory.h"
#include "tests/unit/storage/temporary_store.h"

using namespace invlog::admin;
using namespace invlog::storage;

namespace {

using Clock = std::chrono::steady_clock;
constexpr Clock::time_point kStart{std::chrono::hours(1)};

void write_records(const TemporaryStore& store, int count) {
  Writer writer(store.options());
  for (int number = 0; number < count; ++number) {
    submit_and_wait(writer, record_with("request", "response"));
  }
}

void deliver(const TemporaryStore& store, const char* destination, std::int64_t last) {
  const auto ledger = DeliveryLedger::open(store.path());
  REQUIRE(ledger);
  (*ledger)->state(destination);
  DeliveryLedger::Delivered delivered;
  delivered.last = last;
  delivered.records = last;
  delivered.target = "s3://records";
  (*ledger)->advance(destination, delivered);
  (*ledger)->add_event("delivery-refused", "");
}

}  // namespace

TEST_CASE("the store's facts are read at most every five seconds", "[admin]") {
  const TemporaryStore store;
  write_records(store, 3);
  const std::vector<std::string> s3{"s3"};
  StoreWatch watch(store.path());
  const StoreFacts first = watch.look(kStart, s3);
  CHECK(first.problem.empty());
  CHECK(first.last_record == 3);
  CHECK(first.database_bytes > 0);
  CHECK(first.destinations.empty());  // nothing was delivered yet
  using Events = std::vector<std::pair<std::string, std::int64_t>>;
  CHECK(first.events == Events{{"store-created", 1}});

  deliver(store, "s3", 1);
  deliver(store, "elsewhere", 2);
  CHECK(watch.look(kStart + std::chrono::milliseconds(4999), s3).destinations.empty());
  const StoreFacts& second = watch.look(kStart + StoreWatch::kFresh, s3);
  REQUIRE(second.destinations.size() == 1);  // the other one is not configured
  CHECK(second.destinations[0].state.destination == "s3");
  CHECK(second.destinations[0].state.delivered_records == 1);
  CHECK(second.destinations[0].backlog.records == 2);
  CHECK(second.destinations[0].backlog.oldest_at_us > 0);
  CHECK(second.events == Events{{"delivery-refused", 2}, {"store-created", 1}});

  write_records(store, 2);
  CHECK(watch.look(kStart + 2 * StoreWatch::kFresh, s3).destinations[0].backlog.records == 4);
}

TEST_CASE("a look at a backlog ends when nobody waits for it any more", "[admin]") {
  const TemporaryStore store;
  write_records(store, 3);
  deliver(store, "s3", 1);
  StoreWatch watch(store.path());
  CHECK(watch.look(kStart, {"s3"}).problem.empty());
  write_records(store, 1);
  watch.give_up();
  CHECK_FALSE(watch.look(kStart + StoreWatch::kFresh, {"s3"}).problem.empty());
}

TEST_CASE("a store that cannot be read is said to be so, and read once it can be", "[admin]") {
  const TemporaryStore store;
  StoreWatch watch(store.path());
  CHECK_FALSE(watch.look(kStart, {}).problem.empty());
  write_records(store, 1);
  const StoreFacts& facts = watch.look(kStart + StoreWatch::kFresh, {});
  CHECK(facts.problem.empty());
  CHECK(facts.last_record == 1);
}

TEST_CASE("a store that was removed and written again is read anew", "[admin]") {
  const TemporaryStore store;
  write_records(store, 3);
  deliver(store, "s3", 3);
  const std::vector<std::string> s3{"s3"};
  StoreWatch watch(store.path());
  CHECK(watch.look(kStart, s3).destinations.size() == 1);
  for (const char* suffix : {"", "-wal", "-shm"})
    std::filesystem::remove(store.path() + suffix);
  write_records(store, 1);
  const StoreFacts& facts = watch.look(kStart + StoreWatch::kFresh, s3);
  CHECK(facts.problem.empty());
  CHECK(facts.last_record == 1);
  CHECK(facts.destinations.empty());
}

TEST_CASE("other destinations are told of at once", "[admin]") {
  const TemporaryStore store;
  write_records(store, 2);
  deliver(store, "s3", 1);
  deliver(store, "elsewhere", 2);
  StoreWatch watch(store.path());
  CHECK(watch.look(kStart, {}).destinations.empty());
  REQUIRE(watch.look(kStart, {"s3", "elsewhere"}).destinations.size() == 2);
  REQUIRE(watch.look(kStart, {"elsewhere"}).destinations.size() == 1);
  CHECK(watch.look(kStart, {"elsewhere"}).destinations[0].state.destination == "elsewhere");
  CHECK(watch.look(kStart, {}).destinations.empty());
}

TEST_CASE("readiness says each reason", "[admin]") {
  WriterStatus writer;
  CHECK(reasons_not_ready(false, writer, "").empty());
  writer.last_error = "it was so once";
  CHECK(reasons_not_ready(false, writer, "").empty());
  writer.failing = true;
  writer.last_error = "disk full";
  CHECK(reasons_not_ready(true, writer, "there are none") ==
        std::vector<std::string>{"the agent is stopping", "the store takes no records: disk full",
                                 "AWS credentials: there are none"});
}

TEST_CASE("/proc says what the process uses", "[admin]") {
  const ProcessFacts own = read_process_facts();
  CHECK(own.resident_bytes > 1'000'000);
  CHECK(own.virtual_bytes >= own.resident_bytes);
  CHECK(own.open_files >= 1);
  CHECK(own.open_files_limit > own.open_files);
  // This process is a test that has run for seconds, minutes at most.
  const auto now = static_cast<double>(std::time(nullptr));
  CHECK(own.start_time > now - 3600);
  CHECK(own.start_time < now + 2);

  // A name that looks like fields.
  const invlog::tests::TemporaryDirectory directory;
  directory.write("stat",
                  "42 (a) b 1 2) S 1 1 1 0 -1 4194304 1 0 0 0 250 50 0 0 20 0 1 0 0 8192 3 0\n");
  const ProcessFacts given = read_process_facts(directory.path());
  CHECK(given.cpu_seconds == 300.0 / static_cast<double>(::sysconf(_SC_CLK_TCK)));
  CHECK(given.virtual_bytes == 8192);
  CHECK(given.resident_bytes == 3 * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
  CHECK(given.open_files == 0);
  const ProcessFacts nothing = read_process_facts(directory.path() + "/no");
  CHECK(nothing.resident_bytes == 0);
}
