#include "agent/cli/reconcile_command.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>

#include "agent/cli/store_access.h"
#include "agent/residency/reconciler.h"
#include "agent/residency/trail_files.h"
#include "storage/side_connection.h"
#include "storage/statement.h"
#include "storage/time_text.h"
#include "storage/verify.h"
#include "storage/writer.h"
#include "tests/catch.h"
#include "tests/temporary_directory.h"
#include "tests/unit/agent/cli/example_store.h"
#include "tests/unit/agent/residency/trail_samples.h"

using namespace invlog;
using namespace invlog::cli;
using invlog::tests::contains;
using invlog::tests::MadeEvent;
using invlog::tests::trail_event;

namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kNoon = 1'791'201'600 * kSecond;  // 2026-10-05T12:00:00Z

class ReadyRecord : public storage::PendingRecord {
 public:
  explicit ReadyRecord(storage::Record record) : record_(std::move(record)) {}
  std::size_t memory_bytes() const override { return record_.memory_bytes(); }
  storage::Record build() override { return std::move(record_); }

 private:
  storage::Record record_;
};

storage::Record call(const std::string& request_id, std::int64_t minute,
                     const std::string& destinations, const std::string& scope) {
  storage::Record record;
  record.started_at_us = kNoon + minute * 60 * kSecond;
  record.operation = "Converse";
  record.model_id = "eu.amazon.nova-2-lite-v1:0";
  record.outcome = "complete";
  record.status = 200;
  record.request_id = request_id;
  record.destinations = destinations;
  record.scope = scope;
  return record;
}

std::string uuid(int number) {
  return "00000000-0000-4000-8000-0000000000" + std::to_string(10 + number);
}

// A store of calls from noon on, one a minute, and a folder for a trail's files.
class ReconcileCommandScene {
 public:
  ReconcileCommandScene() {
    std::vector<storage::Record> records;
    records.push_back(call(uuid(0), 0, "eu-central-1,eu-west-1", "geographic"));
    records.push_back(call(uuid(1), 1, "eu-central-1,eu-west-1", "geographic"));
    records.push_back(call("no-uuid", 2, "*", "global"));
    records.push_back(call(uuid(3), 3, "", "in-region"));
    records.push_back(call(uuid(4), 4, "", ""));
    records.push_back(call(uuid(5), 5, "", "in-region"));
    records.back().outcome = "denied";  // by policy: it never left
    records.push_back(call("", 6, "", "in-region"));
    records.push_back(call(uuid(7), 7, "", "in-region"));
    records.push_back(call(uuid(8), 300, "", "in-region"));
    add(std::move(records));
  }

  void add(std::vector<storage::Record> records) {
    storage::WriterOptions options;
    options.path = store();
    options.region = "eu-central-1";
    options.account_id = "123456789012";
    options.clock = [] { return kNoon; };
    storage::Writer writer(options);
    for (storage::Record& record : records) {
      std::unique_ptr<storage::PendingRecord> pending =
          std::make_unique<ReadyRecord>(std::move(record));
      REQUIRE(writer.submit(pending) == storage::Submitted::queued);
    }
    writer.stop();
  }

  std::string store() const { return folder_.path() + "/eu-central-1.db"; }
  std::string trail() const { return folder_.path() + "/trail"; }
  void write(const std::string& name, const std::vector<MadeEvent>& events) const {
    std::string text = "{\"Records\":[";
    for (const MadeEvent& event : events) {
      text += (text.back() == '[' ? "" : ",") + trail_event(event);
    }
    folder_.write("trail/" + name, text + "]}");
  }

  std::string configure(const std::string& text) const {
    return folder_.write("invlog.toml", "[agent]\nregion = \"eu-central-1\"\nstate_dir = \"" +
                                            folder_.path() + "\"\n" + text);
  }
  // Of file and write-ahead log, bytes.
  std::uintmax_t size() const {
    std::error_code none;
    const auto log = std::filesystem::file_size(store() + "-wal", none);
    return std::filesystem::file_size(store()) + (none ? 0 : log);
  }

  int run(ReconcileOptions options = {}) {
    options.store.store = store();
    if (options.cloudtrail.empty()) {
      options.cloudtrail = trail();
    }
    options.now_us = [] { return kNoon + 10 * 3600 * kSecond; };
    out.str("");
    err.str("");
    return run_reconcile(options, out, err);
  }

  // Rows with '|' between columns and '\n' behind each.
  std::string rows(const std::string& sql) const {
    const auto connection = storage::connect_beside_writer(store(), "", "");
    REQUIRE(connection);
    storage::Statement select(connection->get(), sql);
    std::string text;
    while (select.step()) {
      for (int column = 0; column < select.columns(); ++column) {
        text += (column == 0 ? "" : "|") + std::string(select.bytes(column));
      }
      text += '\n';
    }
    return text;
  }
  // As retention takes them.
  void take_oldest_unseen(int rows) const {
    const auto connection = storage::connect_beside_writer(store(), "", "");
    REQUIRE(connection);
    storage::execute(connection->get(),
                     "DELETE FROM unseen_call WHERE event_id IN (SELECT event_id FROM unseen_call "
                     "ORDER BY at LIMIT " +
                         std::to_string(rows) + ")");
  }
  // All that reconciliation writes, but for when it ended.
  std::string written() const {
    return rows("SELECT record, region, at, hex(event_id), outside FROM trail ORDER BY record") +
           rows("SELECT * FROM unseen_call ORDER BY event_id") +
           rows(
               "SELECT source, since, until, events, matched, unseen, missing, outside FROM "
               "reconciliation ORDER BY id") +
           rows(
               "SELECT kind, count, details FROM event WHERE kind IN ('processed-outside', "
               "'calls-unseen') ORDER BY id");
  }

  std::ostringstream out, err;

 private:
  tests::TemporaryDirectory folder_;
};

// Calls of other hosts, one a second from `first` seconds after noon on.
std::vector<MadeEvent> calls_of_others(int first, int last) {
  std::vector<MadeEvent> events;
  for (int second = first; second <= last; ++second) {
    events.push_back({"other-" + std::to_string(second * 7919 % 10'007), "",
                      storage::iso_seconds(kNoon + second * kSecond)});
  }
  return events;
}

// A limit of 16 MiB, whose eighth is 2,730 rows.
ReconcileOptions limited(const ReconcileCommandScene& scene) {
  ReconcileOptions options;
  options.store.config_file = scene.configure("[retention]\nmax_size = \"16MiB\"\n");
  return options;
}

std::string minute(int number) {
  return "2026-10-05T12:0" + std::to_string(number) + ":00Z";
}

// One event for most records, one for a call that has no record, and what is none of the store's.
void write_usual(const ReconcileCommandScene& scene) {
  scene.write("a.json", {{uuid(0), "", minute(0)},
                         {uuid(1), "eu-west-1", minute(1)},
                         {uuid(1), "eu-west-1", minute(1)},
                         {"no-uuid", "us-east-1", minute(2)},
                         {uuid(3), "", minute(3)}});
  scene.write("b.json", {{uuid(4), "eu-north-1", minute(4)},
                         {uuid(9), "eu-west-1", minute(5)},
                         {"early", "", "2026-10-05T11:00:00Z"},
                         {uuid(0), "", minute(0), "Converse", "999999999999"},
                         {uuid(0), "", minute(0), "Converse", "123456789012", "eu-west-3"},
                         {uuid(0), "", minute(0), "ListInferenceProfiles"},
                         {"x", "", "2026-10-05T17:30:00Z", "PutObject", "123456789012",
                          "eu-central-1", "", "s3.amazonaws.com"}});
}

}  // namespace

TEST_CASE("reconcile joins events and records, and a second run changes nothing") {
  ReconcileCommandScene scene;
  write_usual(scene);
  CHECK(scene.run() == 0);
  INFO(scene.out.str() << scene.err.str());
  CHECK(scene.err.str().empty());
  CHECK(scene.rows("SELECT record, region, outside FROM trail ORDER BY record") ==
        "1|eu-central-1|0\n2|eu-west-1|0\n3|us-east-1|0\n4|eu-central-1|0\n5|eu-north-1|0\n");
  CHECK(scene.rows("SELECT request_id, operation, model, principal, source_address, "
                   "inference_region, at FROM unseen_call") ==
        uuid(9) +
            "|Converse|eu.amazon.nova-2-lite-v1:0|arn:aws:sts::123456789012:assumed-role/app/i-1|"
            "198.51.100.7|eu-west-1|1791201900000000\n");
  // From the oldest event of the Region to the newest, of whatever service.
  CHECK(scene.rows("SELECT source, since, until, events, matched, unseen, missing, outside FROM "
                   "reconciliation") ==
        scene.trail() + "|1791198000000000|1791221400000000|7|5|1|1|0\n");
  CHECK(scene.rows("SELECT kind, count, details FROM event WHERE kind = 'calls-unseen'") ==
        "calls-unseen|1|{\"source\":\"" + scene.trail() + "\"}\n");
  // Without an event: the call of minute 7; that of 17:00 is too recent, the denied one never left.
  CHECK(contains(
      scene.out.str(),
      "2026-10-05T11:00:00Z to 2026-10-05T17:30:00Z, eu-central-1, account 123456789012\n"));
  CHECK(contains(scene.out.str(),
                 "calls that CloudTrail knows                   7   of 12 events\n"));
  CHECK(contains(scene.out.str(),
                 "  with a record                               5   5 of them new\n"));
  CHECK(contains(scene.out.str(),
                 "  never seen by the agent                     1   1 of them new\n"));
  CHECK(contains(scene.out.str(), "  older than what the store has               1\n"));
  CHECK(contains(scene.out.str(), "records of calls in that time                 7\n"));
  CHECK(contains(scene.out.str(), "  without an event                            1\n"));
  CHECK(contains(scene.out.str(), "  too recent for an event                     1\n"));
  CHECK(contains(scene.out.str(), "processed outside the destinations            0\n"));
  CHECK(contains(scene.out.str(), "destinations not on record                    1\n"));
  CHECK(contains(scene.out.str(), "processed in eu-central-1                     2\n"));
  CHECK(contains(scene.out.str(), "Calls that the agent never saw\n"));
  CHECK(contains(scene.out.str(), "Records without an event\n"));
  CHECK(contains(scene.out.str(), uuid(7)));

  const std::string before = scene.written();
  CHECK(scene.run() == 0);
  CHECK(scene.written() == before);
  CHECK_FALSE(contains(scene.out.str(), "of them new"));
  CHECK(storage::verify_store(scene.store(), {}).problems.empty());
}

TEST_CASE("an unseen call whose row retention took is not new when it is found again") {
  ReconcileCommandScene scene;
  scene.write("a.json", {{"lost-1", "", minute(1)},
                         {"lost-2", "", minute(2)},
                         {"lost-2 too", "", minute(2)},
                         {"lost-3", "", minute(3)},
                         {"lost-6", "", minute(6)}});
  CHECK(scene.run() == 0);
  CHECK(contains(scene.out.str(), "never seen by the agent                     5   5 of them new"));
  const auto again_is_no_news = [&scene] {
    const std::string before = scene.written();
    CHECK(scene.run() == 0);
    CHECK(scene.written() == before);
    CHECK(contains(scene.out.str(), "never seen by the agent                     5\n"));
  };
  SECTION("some are left, one of them of the same second") {
    scene.take_oldest_unseen(2);
    again_is_no_news();
    // Later than the oldest that is left: no row of that time has gone.
    scene.write("b.json", {{"late-4", "", minute(4)}});
    CHECK(scene.run() == 0);
    CHECK(contains(scene.out.str(), "never seen by the agent                     6   1 of them"));
    CHECK(scene.rows("SELECT count FROM event WHERE kind = 'calls-unseen' ORDER BY id") ==
          "5\n1\n");
    CHECK(scene.rows("SELECT count(*) FROM unseen_call") == "4\n");
  }
  SECTION("none is left") {
    scene.take_oldest_unseen(5);
    again_is_no_news();
    // Behind what was compared.
    scene.write("b.json", {{"late-7", "", minute(7)}});
    CHECK(scene.run() == 0);
    CHECK(scene.rows("SELECT request_id FROM unseen_call") == "late-7\n");
    CHECK(scene.rows("SELECT count FROM event WHERE kind = 'calls-unseen' ORDER BY id") ==
          "5\n1\n");
  }
  SECTION("all are left: what is older than they is new") {
    scene.write("b.json", {{"late-1", "", minute(1)}});
    CHECK(scene.run() == 0);
    CHECK(scene.rows("SELECT count(*) FROM unseen_call") == "6\n");
    CHECK(scene.rows("SELECT count FROM event WHERE kind = 'calls-unseen' ORDER BY id") ==
          "5\n1\n");
  }
}

TEST_CASE("of more unseen calls than may take room of a store, the newest are listed") {
  ReconcileCommandScene scene;
  const ReconcileOptions options = limited(scene);
  scene.write("a.json", calls_of_others(1, 3000));
  CHECK(scene.run(options) == 0);
  INFO(scene.out.str() << scene.err.str());
  CHECK(contains(scene.out.str(), "never seen by the agent                 3,000   3,000 of them"));
  CHECK(contains(scene.out.str(), "    not listed in the store                 270\n"));
  const auto listed_from = [&scene](int second) {
    CHECK(scene.rows("SELECT count(*), min(at) FROM unseen_call") ==
          "2730|" + std::to_string(kNoon + second * kSecond) + "\n");
  };
  listed_from(271);
  CHECK(scene.rows("SELECT unseen FROM reconciliation") == "3000\n");
  const std::string before = scene.written();
  CHECK(scene.run(options) == 0);
  CHECK(scene.written() == before);
  CHECK_FALSE(contains(scene.out.str(), "of them new"));
  CHECK(contains(scene.out.str(), "    not listed in the store                 270\n"));
  // What is newer takes the place of what is older.
  scene.write("b.json", calls_of_others(3001, 3100));
  CHECK(scene.run(options) == 0);
  listed_from(371);
  CHECK(scene.rows("SELECT count FROM event WHERE kind = 'calls-unseen' ORDER BY id") ==
        "3000\n100\n");
  const std::string after = scene.written();
  CHECK(scene.run(options) == 0);
  CHECK(scene.written() == after);
  // Another store's limit is none of this one's.
  ReconcileOptions others = options;
  const tests::TemporaryDirectory elsewhere;
  others.store.state_dir = elsewhere.path();
  scene.write("c.json", calls_of_others(3101, 3200));
  CHECK(scene.run(others) == 0);
  CHECK(scene.rows("SELECT count(*) FROM unseen_call") == "2830\n");
  // Rows over the share go, whatever there is to list.
  CHECK(scene.run(options) == 0);
  listed_from(471);
}

TEST_CASE("unseen calls wait for room in a full store, and are left out if nobody makes any") {
  ReconcileCommandScene scene;
  ReconcileOptions options = limited(scene);
  constexpr std::uintmax_t kCap = 16 << 20, kMost = kCap + kCap / 20;
  std::mt19937_64 random(20);
  const auto large_call = [&random](int number, std::size_t bytes) {
    storage::Record large = call(uuid(number), 8, "", "in-region");
    large.request.bytes.resize(bytes);
    for (char& byte : large.request.bytes) {
      byte = static_cast<char>(random());
    }
    return large;
  };
  scene.add({large_call(20, 16'300'000)});
  REQUIRE((scene.size() < kCap && scene.size() > kCap - kCap / 40));
  scene.write("a.json", calls_of_others(1, 3000));
  int waits = 0;
  std::uintmax_t largest = 0;
  SECTION("without an agent") {
    options.sleep = [&](std::chrono::milliseconds) {
      ++waits;
      largest = std::max(largest, scene.size());
    };
    CHECK(scene.run(options) == 0);
    CHECK(waits == 30);
    const std::string notice = "waits for room in the store, which is at its max_size";
    CHECK(scene.err.str() == "invlog reconcile: " + notice + "\n");
    CHECK(largest <= kMost);
    CHECK(scene.size() <= kMost);
    const std::string left_out = scene.rows("SELECT 3000 - count(*) FROM unseen_call");
    CHECK(scene.rows("SELECT count(*) BETWEEN 1 AND 2000, max(at) FROM unseen_call") ==
          "1|" + std::to_string(kNoon + 3000 * kSecond) + "\n");
    options.json = true;
    const std::string before = scene.written();
    CHECK(scene.run(options) == 0);
    CHECK(scene.written() == before);
    CHECK(contains(scene.out.str(), "\"new_unseen\":0,\"unlisted\":" +
                                        left_out.substr(0, left_out.size() - 1) + ","));
    // Where none is made, what is older makes it, row by row.
    scene.write("b.json", calls_of_others(3001, 3100));
    CHECK(scene.run(options) == 0);
    CHECK(scene.rows("SELECT max(at) FROM unseen_call") ==
          std::to_string(kNoon + 3100 * kSecond) + "\n");
    CHECK(scene.size() <= kMost);
    // On a terminal the bar says what is waited for.
    scene.add({large_call(21, 1'000'000)});
    scene.write("c.json", calls_of_others(3101, 3200));
    options.progress_width = 200;
    CHECK(scene.run(options) == 0);
    CHECK(contains(scene.err.str(), " %  " + notice));
    CHECK_FALSE(contains(scene.err.str(), "invlog reconcile: "));
  }
  SECTION("with one") {
    options.sleep = [&](std::chrono::milliseconds) {
      ++waits;
      largest = std::max(largest, scene.size());
      const auto connection = storage::connect_beside_writer(scene.store(), "", "");
      REQUIRE(connection);
      storage::execute(connection->get(),
                       "DELETE FROM chunk WHERE id IN (SELECT id FROM chunk LIMIT 300)");
      storage::execute(connection->get(), "PRAGMA incremental_vacuum(150)");
      storage::execute(connection->get(), "PRAGMA wal_checkpoint(TRUNCATE)");
    };
    CHECK(scene.run(options) == 0);
    CHECK(waits > 0);
    CHECK(largest <= kMost);
    CHECK(scene.rows("SELECT count(*) FROM unseen_call") == "2730\n");
  }
}

TEST_CASE("an unseen call from the midst of what was compared, and clean, is new") {
  ReconcileCommandScene scene;
  scene.write("a.json", {{uuid(0), "", minute(0)}, {uuid(7), "", minute(7)}});
  CHECK(scene.run() == 0);
  scene.write("b.json", {{"late-3", "", minute(3)}});
  CHECK(scene.run() == 0);
  CHECK(scene.rows("SELECT request_id FROM unseen_call") == "late-3\n");
  CHECK(scene.rows("SELECT count FROM event WHERE kind = 'calls-unseen'") == "1\n");
}

TEST_CASE("what was processed outside its destinations is an alarm, once, and exit code 1") {
  ReconcileCommandScene scene;
  scene.write("a.json", {{uuid(0), "us-east-1", minute(0)},
                         {uuid(1), "eu-west-1", minute(1)},
                         {"no-uuid", "cn-north-1", minute(2)},
                         {uuid(3), "eu-west-1", minute(3)}});
  CHECK(scene.run() == 1);
  INFO(scene.out.str() << scene.err.str());
  CHECK(scene.rows("SELECT record, region FROM trail WHERE outside = 1 ORDER BY record") ==
        "1|us-east-1\n3|cn-north-1\n4|eu-west-1\n");
  CHECK(scene.rows("SELECT kind, count, details FROM event WHERE kind = 'processed-outside'") ==
        "processed-outside|3|{\"source\":\"" + scene.trail() +
            "\",\"regions\":{\"cn-north-1\":1,\"eu-west-1\":1,\"us-east-1\":1},\"records\":[1,3,4]}"
            "\n");
  CHECK(contains(scene.out.str(), "Processed outside the destinations\n"));
  const std::string before = scene.written();
  CHECK(scene.run() == 1);  // it still is so
  CHECK(scene.written() == before);

  // A later event of a call that seemed to be inside.
  scene.write("b.json", {{uuid(1), "us-west-2", minute(1), "Converse", "123456789012",
                          "eu-central-1", "another-event"}});
  CHECK(scene.run() == 1);
  CHECK(scene.rows("SELECT count FROM event WHERE kind = 'processed-outside' ORDER BY id") ==
        "3\n1\n");
  CHECK(scene.rows("SELECT region, outside FROM trail WHERE record = 2") == "us-west-2|1\n");
  CHECK(storage::verify_store(scene.store(), {}).problems.empty());
}

TEST_CASE("--json has whole lists, and problems with their places") {
  ReconcileCommandScene scene;
  write_usual(scene);
  std::vector<MadeEvent> many;
  for (int number = 0; number < 30; ++number) {
    many.push_back({"lost-" + std::to_string(number), "", minute(6)});
  }
  scene.write("c.json", many);
  scene.write("d.json", {{"y", "", "yesterday"}});
  ReconcileOptions options;
  CHECK(scene.run(options) == 1);
  CHECK(contains(scene.out.str(), "Calls that the agent never saw (the first 20; --all shows 31)"));
  const std::string wrong =
      scene.trail() + "/d.json:12: Converse has no eventTime that can be read\n";
  CHECK(scene.err.str() == "invlog reconcile: " + wrong +
                               "invlog reconcile: not all was read, so nothing is written down as "
                               "compared\n");

  options.all = true;
  CHECK(scene.run(options) == 1);
  CHECK_FALSE(contains(scene.out.str(), "the first 20"));
  options.json = true;
  options.fail_on_unseen = true;
  CHECK(scene.run(options) == 1);
  const std::string json = scene.out.str();
  CHECK(contains(json,
                 "\"events\":37,\"matched\":5,\"new_matched\":0,\"unseen\":31,\"new_unseen\":0,"));
  CHECK(contains(json,
                 "\"missing\":1,\"not_yet\":1,\"outside\":0,\"new_outside\":0,\"unknown\":1,"
                 "\"problem_count\":1"));
  CHECK(contains(
      json,
      "\"processed_in\":{\"eu-central-1\":2,\"eu-north-1\":1,\"eu-west-1\":1,\"us-east-1\":1}"));
  CHECK(contains(json, "\"request_id\":\"lost-29\""));
  CHECK(contains(json, "\"offset\":12,\"what\":\"Converse has no eventTime"));
  CHECK(contains(json, "\"missing_records\":[{\"id\":8,\"time\":\"2026-10-05T12:07:00Z\""));
}

TEST_CASE("what cannot be read is a failure, and its span is not compared") {
  ReconcileCommandScene scene;
  write_usual(scene);
  const auto fails_at = [&scene](const std::string& place) {
    CHECK(scene.run() == 1);
    CHECK(contains(scene.err.str(), place));
    CHECK(contains(scene.out.str(), "  with a record                               5"));
    CHECK(scene.rows("SELECT count(*) FROM reconciliation") == "0\n");
  };
  SECTION("a damaged file") {
    std::ofstream(scene.trail() + "/c.json.gz") << "\x1f\x8b\x08 and so on";
    fails_at("c.json.gz");
  }
  SECTION("a folder that is a link") {
    std::filesystem::create_directory_symlink("/tmp", scene.trail() + "/sub");
    fails_at("/sub: a link to a folder is not followed");
  }
  SECTION("a link to nothing") {
    std::filesystem::create_symlink("nowhere", scene.trail() + "/c.json");
    fails_at("/c.json: ");
  }
  SECTION("a folder without permission") {
    const std::string folder = scene.trail() + "/sub";
    std::filesystem::create_directory(folder);
    std::filesystem::permissions(folder, std::filesystem::perms::none);
    if (::access(folder.c_str(), R_OK) != 0) {  // root reads it all the same
      fails_at("/sub: Permission denied");
    }
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all);
  }
}

TEST_CASE("records whose clock was wrong hide no others") {
  for (const std::int64_t minutes : {24 * 60, -24 * 60}) {
    CAPTURE(minutes);
    ReconcileCommandScene scene;
    std::vector<storage::Record> records;
    records.push_back(call(uuid(20), 8, "", "in-region"));
    records.push_back(call(uuid(21), 8 + minutes, "", "in-region"));
    records.push_back(call(uuid(22), 8, "", "in-region"));
    records.push_back(call(uuid(23), 9, "", "in-region"));
    scene.add(std::move(records));
    scene.add({call(uuid(24), 9, "", "in-region")});
    scene.write("a.json", {{uuid(20), "", minute(8)},
                           {uuid(21), "", minute(8)},
                           {uuid(22), "", minute(8)},
                           {uuid(23), "", minute(9)},
                           {uuid(24), "", minute(9)}});
    CHECK(scene.run() == 0);
    CHECK(scene.rows("SELECT count(*) FROM unseen_call") == "0\n");
    CHECK(scene.rows("SELECT group_concat(record) FROM trail") == "10,11,12,13,14\n");
  }
}

TEST_CASE("a comparison ends with the newest event, however late --until is") {
  ReconcileCommandScene scene;
  write_usual(scene);
  ReconcileOptions options;
  options.since_us = kNoon;
  options.until_us = kNoon + 9 * 3600 * kSecond;
  scene.add({call(uuid(20), 400, "", "in-region")});  // behind that event: not compared
  CHECK(scene.run(options) == 0);
  CHECK(contains(scene.out.str(), "2026-10-05T12:00:00Z to 2026-10-05T17:30:00Z, eu-central-1"));
  CHECK(contains(scene.out.str(), "records of calls in that time                 7\n"));
  CHECK(contains(scene.out.str(), "  too recent for an event                     1\n"));
  const std::string ends =
      "invlog reconcile: these events end at 2026-10-05T17:30:00Z, before --until: nothing later "
      "was compared\n";
  CHECK(scene.err.str() == ends);
  const std::string compared = "1791201600000000|1791221400000000|1\n";
  CHECK(scene.rows("SELECT since, until, missing FROM reconciliation") == compared);
  options.json = true;
  CHECK(scene.run(options) == 0);
  CHECK(contains(scene.out.str(), "\"until\":\"2026-10-05T17:30:00Z\""));
  CHECK_FALSE(contains(scene.out.str(), "these events end"));
  options.json = false;
  options.since_us = kNoon + 8 * 3600 * kSecond;
  CHECK(scene.run(options) == 0);
  CHECK(contains(scene.out.str(), "no event of eu-central-1 from --since on among 12 events\n"));
  CHECK(scene.err.str() == ends);
  CHECK(scene.rows("SELECT since, until, missing FROM reconciliation") == compared);
  options.since_us = kNoon;
  options.until_us = kNoon + 5 * 3600 * kSecond;  // before that event
  CHECK(scene.run(options) == 0);
  CHECK(scene.err.str().empty());
}

TEST_CASE("a comparison with files begins with the oldest event, however early --since is") {
  ReconcileCommandScene scene;
  scene.write("a.json", {{uuid(3), "", minute(3)},
                         {uuid(4), "eu-north-1", minute(4)},
                         {"x", "", "2026-10-05T17:30:00Z", "PutObject", "123456789012",
                          "eu-central-1", "", "s3.amazonaws.com"}});
  ReconcileOptions options;
  options.since_us = kNoon - 5 * 24 * 3600 * kSecond;
  CHECK(scene.run(options) == 0);
  CHECK(contains(scene.out.str(), "2026-10-05T12:03:00Z to 2026-10-05T17:30:00Z"));
  // Of minutes 3, 4, 7 and 300; those before are not missed.
  CHECK(contains(scene.out.str(), "records of calls in that time                 4\n"));
  CHECK(scene.rows("SELECT since, until, missing FROM reconciliation") ==
        "1791201780000000|1791221400000000|1\n");
  // Not an event of the Region: nothing was compared, whatever was asked for.
  scene.write("a.json", {{uuid(0), "", minute(0), "Converse", "123456789012", "us-east-1"}});
  options.until_us = kNoon;
  CHECK(scene.run(options) == 0);
  CHECK(contains(scene.out.str(), "no event of eu-central-1 among 1 event\n"));
  CHECK(scene.rows("SELECT count(*) FROM reconciliation") == "1\n");
}

TEST_CASE("--since and --until bound events and records, and are a comparison of their own") {
  ReconcileCommandScene scene;
  write_usual(scene);
  CHECK(scene.run() == 0);
  ReconcileOptions options;
  options.since_us = kNoon + 60 * kSecond;
  options.until_us = kNoon + 3 * 60 * kSecond;
  CHECK(scene.run(options) == 0);
  CHECK(
      scene.rows("SELECT since, until, events, matched, unseen, missing FROM reconciliation ORDER "
                 "BY id") ==
      "1791198000000000|1791221400000000|7|5|1|1\n1791201660000000|1791201780000000|2|2|0|0\n");
  CHECK(contains(scene.out.str(), "records of calls in that time                 2\n"));
  std::swap(options.since_us, options.until_us);
  CHECK(scene.run(options) == 2);
}

TEST_CASE("an event on the other side of a span's border is its record's all the same") {
  ReconcileCommandScene scene;
  storage::Record at_border = call(uuid(20), 10, "", "in-region");
  at_border.started_at_us -= kSecond * 2 / 5;  // 12:09:59.6
  scene.add({at_border});
  const std::string ten = "2026-10-05T12:10:00Z";
  scene.write("a.json", {{uuid(20), "", ten},
                         {"before-the-span", "", "2026-10-05T12:07:30Z"},
                         {"behind-the-span", "", ten},
                         {uuid(7), "", "2026-10-05T12:07:00Z"},
                         {"x", "", "2026-10-05T17:30:00Z", "PutObject", "123456789012",
                          "eu-central-1", "", "s3.amazonaws.com"}});
  ReconcileOptions options;
  options.since_us = kNoon + 8 * 60 * kSecond;
  options.until_us = kNoon + 10 * 60 * kSecond;
  options.json = true;
  CHECK(scene.run(options) == 0);
  INFO(scene.out.str() << scene.err.str());
  CHECK(contains(scene.out.str(),
                 "\"events_read\":5,\"events_left_out\":5,\"duplicates\":0,\"events\":0,"));
  CHECK(contains(scene.out.str(), "\"records\":1,\"missing\":0,"));
  CHECK(scene.rows("SELECT events, matched, unseen, missing FROM reconciliation") == "0|0|0|0\n");
  CHECK(scene.rows("SELECT record, region FROM trail") == "10|eu-central-1\n");
  CHECK(scene.rows("SELECT count(*) FROM unseen_call") == "0\n");
  // The next span has the event, and not the record.
  options.since_us = options.until_us;
  options.until_us = kNoon + 11 * 60 * kSecond;
  CHECK(scene.run(options) == 0);
  CHECK(contains(scene.out.str(), "\"events\":2,\"matched\":1,\"new_matched\":0,\"unseen\":1,"));
  CHECK(contains(scene.out.str(), "\"records\":0,\"missing\":0,"));
  CHECK(scene.rows("SELECT request_id FROM unseen_call") == "behind-the-span\n");
  // An alarm does not wait for the span that has the event.
  options.since_us = kNoon + 8 * 60 * kSecond;
  options.until_us = kNoon + 10 * 60 * kSecond;
  scene.write("b.json", {{uuid(20), "eu-west-1", ten, "Converse", "123456789012", "eu-central-1",
                          "another-event"}});
  CHECK(scene.run(options) == 1);
  CHECK(scene.rows("SELECT count FROM event WHERE kind = 'processed-outside'") == "1\n");
}

TEST_CASE("a call whose record was written after a comparison is unseen no longer") {
  ReconcileCommandScene scene;
  scene.write("a.json", {{uuid(9), "eu-west-1", "2026-10-05T17:01:00Z"}});
  CHECK(scene.run() == 0);
  CHECK(scene.rows("SELECT count(*) FROM unseen_call") == "1\n");
  scene.add({call(uuid(9), 301, "eu-west-1", "geographic")});
  CHECK(scene.run() == 0);
  CHECK(scene.rows("SELECT count(*) FROM unseen_call") == "0\n");
  CHECK(scene.rows("SELECT region FROM trail WHERE record = 10") == "eu-west-1\n");
}

TEST_CASE("a call that turned up leaves no gap in which others would not be new") {
  ReconcileCommandScene scene;
  const std::string five = "2026-10-05T17:05:00Z";
  // Under way, and one that stays unseen.
  scene.write("a.json", {{uuid(9), "", "2026-10-05T17:01:00Z"}, {"lost", "", five}});
  CHECK(scene.run() == 0);
  CHECK(scene.rows("SELECT matched, unseen FROM reconciliation") == "0|2\n");
  scene.add({call(uuid(9), 301, "", "in-region")});
  scene.write("b.json", {{"x", "", "2026-10-05T17:09:00Z", "PutObject", "123456789012",
                          "eu-central-1", "", "s3.amazonaws.com"}});
  CHECK(scene.run() == 0);
  CHECK(scene.rows("SELECT matched, unseen FROM reconciliation ORDER BY until") == "1|1\n1|1\n");
  // Within both spans, and older than what is listed.
  scene.write("c.json", {{"past-the-agent", "", "2026-10-05T17:03:00Z"}});
  CHECK(scene.run() == 0);
  CHECK(contains(scene.out.str(), "never seen by the agent                     2   1 of them new"));
  CHECK_FALSE(contains(scene.out.str(), "not listed in the store"));
  CHECK(scene.rows("SELECT request_id FROM unseen_call ORDER BY at") == "past-the-agent\nlost\n");
  CHECK(scene.rows("SELECT count FROM event WHERE kind = 'calls-unseen' ORDER BY id") == "2\n1\n");
  // What retention took stays known as that.
  scene.take_oldest_unseen(2);
  const std::string before = scene.written();
  CHECK(scene.run() == 0);
  CHECK(scene.written() == before);
  CHECK(contains(scene.out.str(), "    not listed in the store                   2\n"));
}

TEST_CASE("nothing that could be read is a failure, no event of the Region is none") {
  ReconcileCommandScene scene;
  scene.write("a.json", {{uuid(0), "", minute(0), "Converse", "123456789012", "us-east-1"}});
  CHECK(scene.run() == 0);
  CHECK(contains(scene.out.str(), "no event of eu-central-1 among 1 event\n"));
  CHECK(scene.rows("SELECT count(*) FROM reconciliation") == "0\n");
  ReconcileOptions options;
  options.cloudtrail = scene.store();  // a file, but of something else
  CHECK(scene.run(options) == 1);
  CHECK(contains(scene.err.str(), "here should be an event, an object in braces"));
  options.cloudtrail = scene.trail() + "/nowhere.json";
  CHECK(scene.run(options) == 1);
  CHECK(contains(scene.err.str(), "No such file"));
}

TEST_CASE("batches of events find the same as all of them at once") {
  ReconcileCommandScene scene;
  write_usual(scene);
  for (const std::size_t batch : {1u, 2u, 1000u}) {
    const auto ledger = storage::TrailLedger::open(scene.store());
    REQUIRE(ledger);
    residency::TrailFiles files(scene.trail(), "eu-central-1");
    residency::ReconcilerOptions options;
    options.region = "eu-central-1";
    options.account = "123456789012";
    options.batch_events = batch;
    residency::Reconciler reconciler(**ledger, files, options);
    REQUIRE(files.read(reconciler));
    const residency::Reconciliation found = reconciler.finish();
    CAPTURE(batch);
    CHECK(found.unseen == 1);
    CHECK(found.new_unseen == (batch == 1 ? 1 : 0));
    CHECK(found.before == 1);
    CHECK(found.missing == 1);
    CHECK(found.not_yet == 1);
    CHECK(scene.rows("SELECT count(*) FROM trail") == "5\n");
  }
}

TEST_CASE("an event counts once, however far apart its copies are") {
  ReconcileCommandScene scene;
  // As an organization's and an account's trail in one folder.
  for (const char* const name : {"account.json", "organization.json"}) {
    scene.write(name, {{uuid(0), "", minute(0)},
                       {"no-uuid", "us-east-1", minute(2)},
                       {uuid(9), "eu-west-1", minute(5)},
                       {"lost", "", minute(6)},
                       {"early", "", "2026-10-05T11:00:00Z"}});
  }
  // Another event of a call is no copy.
  scene.write("z.json", {{"lost", "", minute(6), "Converse", "123456789012", "eu-central-1",
                          "another-event"}});
  for (const std::size_t batch : {1u, 2u, 3u, 5u, 1000u}) {
    CAPTURE(batch);
    const auto ledger = storage::TrailLedger::open(scene.store());
    REQUIRE(ledger);
    residency::TrailFiles files(scene.trail(), "eu-central-1");
    residency::ReconcilerOptions options;
    options.region = "eu-central-1";
    options.account = "123456789012";
    options.batch_events = batch;
    residency::Reconciler reconciler(**ledger, files, options);
    REQUIRE(files.read(reconciler));
    const residency::Reconciliation found = reconciler.finish();
    CHECK(found.read == 11);
    CHECK(found.duplicates == 5);
    CHECK(found.events == 6);
    CHECK(found.matched == 2);
    CHECK(found.unseen == 3);
    CHECK(found.unseen_calls.size() == 3);
    CHECK(found.before == 1);
    CHECK(found.regions ==
          std::map<std::string, std::int64_t>{{"eu-central-1", 1}, {"us-east-1", 1}});
  }
  CHECK(scene.rows("SELECT events, matched, unseen FROM reconciliation") == "6|2|3\n");
  CHECK(scene.rows("SELECT count(*) FROM unseen_call") == "3\n");
}

TEST_CASE("a call was outside if its record rules out where it was processed") {
  const auto outside = residency::processed_outside;
  CHECK(outside("eu-west-1", "eu-central-1", "eu-central-1,eu-west-1", "geographic") == false);
  CHECK(outside("eu-west-11", "eu-central-1", "eu-central-1,eu-west-1", "geographic") == true);
  CHECK(outside("us-east-1", "eu-central-1", "*", "global") == false);
  CHECK(outside("us-gov-west-1", "eu-central-1", "*", "global") == true);
  CHECK(outside("us-east-1", "eu-central-1", "", "global") == false);
  CHECK(outside("us-east-1", "eu-central-1", "", "in-region") == true);
  CHECK(outside("us-east-1", "eu-central-1", "", "") == std::nullopt);
  CHECK(outside("eu-central-1", "eu-central-1", "eu-west-1", "geographic") == false);
  CHECK(outside("eu-central-1", "eu-central-1", "", "") == false);
}
