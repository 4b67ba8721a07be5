#include "agent/cli/verify_command.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <utility>

#include "tests/catch.h"
#include "tests/unit/agent/cli/example_store.h"
#include "tests/unit/agent/config/config_text.h"
#include "tests/unit/agent/delivery/delivery_scene.h"

using namespace invlog::cli;
using invlog::tests::contains;
using invlog::tests::ExampleStore;

namespace {

// Of more than there is, so that there is more to say of it.
void make_up_retention(const ExampleStore& store) {
  const std::string zeros(64, '0');
  const std::string event =
      R"(INSERT INTO event(id, at, kind, details) VALUES (90, 1790000000000000, 'retention', )"
      R"('{"base":{"segment":7,"record":1234,"label":1,"event":1,"chain":")" +
      zeros + R"(","labels":")" + zeros + R"(","events":")" + zeros + R"("}}'))";
  sqlite3* connection = nullptr;
  REQUIRE(sqlite3_open(store.path().c_str(), &connection) == SQLITE_OK);
  CHECK(sqlite3_exec(connection, event.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(connection);
}

}  // namespace

TEST_CASE("verify says that a store is whole, and shows progress on a terminal") {
  const ExampleStore store;
  VerifyOptions options;
  options.store = store.options();
  std::ostringstream out, err;
  CHECK(run_verify(options, out, err) == 0);
  CHECK(contains(out.str(), store.path() + " is whole: 6 records, "));
  CHECK(err.str().empty());
  options.json = true;
  options.progress_width = 80;
  std::ostringstream json;
  CHECK(run_verify(options, json, err) == 0);
  CHECK(contains(json.str(), "\"whole\":true,\"records\":6,"));
  CHECK(contains(json.str(), "\"problems\":[]}\n"));
  CHECK(contains(err.str(), "verifying"));
  CHECK(contains(err.str(), "100 %"));
}

TEST_CASE("verify compares with heads that were kept elsewhere") {
  const ExampleStore store;
  VerifyOptions options;
  options.store = store.options();
  std::ostringstream out, err;
  REQUIRE(run_verify(options, out, err) == 0);
  const std::string printed = out.str();
  const std::string head = printed.substr(printed.find("chain head ") + 11, 2 + 64);
  CHECK(head.starts_with("1:"));
  options.heads = {head};
  options.heads_file = store.directory().path() + "/heads";
  std::ofstream(*options.heads_file) << head << "\r\n\r\n\n" << head << '\n';
  std::ostringstream same;
  CHECK(run_verify(options, same, err) == 0);
  CHECK(contains(same.str(), "3 chain heads kept elsewhere are in its chain"));
  options.heads = {"9:" + head.substr(2)};
  std::ostringstream behind;
  CHECK(run_verify(options, behind, err) == 1);
  CHECK(contains(behind.str(), "head of segment 9: the store ends before it, with segment 1"));
  options.heads = {"1:" + std::string(64, '0')};
  options.json = true;
  std::ostringstream other;
  CHECK(run_verify(options, other, err) == 1);
  CHECK(contains(other.str(), "the store's chain is another there than --head has"));
  CHECK(contains(other.str(), "\"chain_segment\":1,\"heads_confirmed\":2"));
  CHECK(err.str().empty());
  for (const char* wrong : {"", "1", "1:", "0:00", ":", "x:1", "1:zz"}) {
    options.heads = {wrong};
    std::ostringstream none, said;
    CHECK(run_verify(options, none, said) == 2);
    CHECK(contains(said.str(), "is no chain head"));
  }
}

TEST_CASE("verify fails where a file of heads has none to compare with") {
  const ExampleStore store;
  VerifyOptions options;
  options.store = store.options();
  const auto refused = [&](const std::string& path) {
    options.heads_file = path;
    std::ostringstream out, err;
    CHECK(run_verify(options, out, err) == 2);
    CHECK(out.str().empty());
    CHECK(contains(err.str(), "invlog verify: --heads: " + path + " "));
    return err.str();
  };
  CHECK(contains(refused("/nonexistent/heads"), "cannot be opened"));
  CHECK(contains(refused(store.directory().path()), "is a directory"));
  CHECK(contains(refused("/proc/self/mem"), "cannot be read"));
  CHECK(contains(refused(store.directory().write("empty", "")), "no chain head"));
  CHECK(contains(refused(store.directory().write("lines", "\n\n")), "no chain head"));
}

TEST_CASE("verify reads heads from a pipe") {
  const ExampleStore store;
  VerifyOptions options;
  options.store = store.options();
  std::ostringstream out, err;
  REQUIRE(run_verify(options, out, err) == 0);
  const std::string line = out.str().substr(out.str().find("chain head ") + 11);
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  CHECK(::write(ends[1], line.data(), line.size()) == static_cast<ssize_t>(line.size()));
  ::close(ends[1]);
  options.heads_file = "/proc/self/fd/" + std::to_string(ends[0]);
  std::ostringstream same;
  CHECK(run_verify(options, same, err) == 0);
  CHECK(contains(same.str(), "1 chain head kept elsewhere is in its chain"));
  ::close(ends[0]);
}

TEST_CASE("verify finds a changed record and fails") {
  const ExampleStore store;
  sqlite3* connection = nullptr;
  REQUIRE(sqlite3_open(store.path().c_str(), &connection) == SQLITE_OK);
  CHECK(sqlite3_exec(connection, "UPDATE record SET checksum = checksum + 1 WHERE id = 3", nullptr,
                     nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(connection);
  VerifyOptions options;
  options.store = store.options();
  std::ostringstream out, err;
  CHECK(run_verify(options, out, err) == 1);
  CHECK(contains(out.str(), "record 3: "));
  CHECK(contains(out.str(), " problem"));
  options.json = true;
  std::ostringstream json;
  CHECK(run_verify(options, json, err) == 1);
  CHECK(contains(json.str(), "\"whole\":false"));
  CHECK(contains(json.str(), "{\"where\":\"record 3\",\"what\":\""));
}

TEST_CASE("verify says what retention took in front") {
  const ExampleStore store;
  VerifyOptions options;
  options.store = store.options();
  const auto verified = [&options] {
    std::ostringstream out, err;
    run_verify(options, out, err);
    return out.str();
  };
  CHECK(!contains(verified(), "retention"));
  options.json = true;
  CHECK(contains(verified(), "\"taken_by_retention\":null,"));
  make_up_retention(store);
  CHECK(contains(verified(),
                 "\"taken_by_retention\":{\"last_record\":1234,\"last_segment\":7,"
                 "\"at\":\"2026-09-21T14:13:20Z\",\"event\":90},"));
  options.json = false;
  CHECK(contains(verified(),
                 "records up to 1,234 were taken by retention, most recently on "
                 "2026-09-21T14:13:20Z (event 90)\n"));
}

TEST_CASE("verify misses heads at a destination that must have some") {
  const ExampleStore store;
  store.append("a segment of its own");
  invlog::exporters::FakeService service;
  invlog::exporters::FakeOptions destination{"s3", "s3://records-eu",        10,
                                             true, "s3://records-eu at vpc", "AWSLogs/"};
  VerifyOptions options;
  options.store = store.options();
  options.delivered = true;
  options.world.environment = invlog::tests::environment_of({});
  const auto deliver_to = [&](const invlog::exporters::FakeOptions& made) {
    options.world.make_destinations = invlog::tests::destinations_of({{made, service}});
  };
  deliver_to(destination);
  options.world.make_credentials = [](const auto&, const auto&, const auto*) {
    return std::make_unique<invlog::tests::FixedCredentials>();
  };
  const auto verify = [&](int exit_code) {
    std::ostringstream out, err;
    CHECK(run_verify(options, out, err) == exit_code);
    return out.str() + err.str();
  };
  const auto deliver_all = [&](const std::string& target, std::int64_t head = 0) {
    const auto ledger = invlog::tests::ledger_of(store);
    invlog::storage::DeliveryLedger::Delivered delivered;
    delivered.last = invlog::storage::Reader::open(store.path()).value()->last_id();
    delivered.records = 1;
    delivered.target = target;
    if (head != 0) {
      delivered.head = {target, "AWSLogs/", head};
    }
    ledger->advance("s3", delivered);
  };
  CHECK(contains(verify(0), "s3 s3://records-eu keeps no head of this store's chain"));
  deliver_all("s3://records-eu");
  // A batch from before the first segment closed may have come so far.
  CHECK(contains(verify(0), "keeps no head"));
  store.append("another");
  // By whoever did not note that a head went with it, or by whom none went.
  deliver_all("s3://records-eu");
  CHECK(
      contains(verify(0),
               "delivery to s3: s3://records-eu keeps no head of this store's chain, nor does the "
               "store know of one that it was given, although record 8 was delivered: nothing "
               "was compared."));
  deliver_all("s3://records-eu", 2);
  const std::string missed =
      "delivery to s3: s3://records-eu keeps no head of this store's chain, but was given that of "
      "segment 2";
  CHECK(contains(verify(1), missed));
  SECTION("by whichever endpoint it is reached") {
    std::swap(destination.target, destination.other_name);
    deliver_to(destination);
    CHECK(contains(verify(1), "s3://records-eu at vpc keeps no head of this store's chain, but"));
  }
  SECTION("but not another folder than it was given them in") {
    destination.head_folder = "new/AWSLogs/";
    deliver_to(destination);
    CHECK(contains(verify(0), "nothing was compared."));
    options.json = true;
    CHECK(contains(verify(0), "\"notes\":[{\"where\":\"delivery to s3\","));
  }
  SECTION("and one that was left and came back must still have them") {
    deliver_all("s3://elsewhere");
    CHECK(contains(verify(1), missed));
  }
  SECTION("but one that was put in the place of another has none") {
    destination.target = "s3://elsewhere";
    deliver_to(destination);
    CHECK(contains(verify(0), "s3 s3://elsewhere keeps no head"));
  }
  SECTION("for which it is asked for those that the store knows to have written") {
    const auto ledger = invlog::tests::ledger_of(store);
    invlog::storage::DeliveryLedger::Delivered delivered;
    delivered.objects = {{"s3://records-eu/a", 1, 3}, {"s3://records-eu/b", 4, 4}};
    ledger->advance("cloudwatch_logs", delivered);
    CHECK(contains(verify(1), missed));
    CHECK(service.given.empty());
    ledger->advance("s3", delivered);
    CHECK(contains(verify(1), missed));
    CHECK(service.given == std::vector<std::string>{"s3://records-eu/b", "s3://records-eu/a"});
  }
  SECTION("one whose segment retention took is told, and is none") {
    service.heads = {{2, std::string(64, '0'), "s3://records-eu/new"},
                     {1, std::string(64, '0'), "s3://records-eu/old"}};
    make_up_retention(store);
    const std::string said = verify(1);  // what was made up is not right
    CHECK(contains(said,
                   "head of segment 2: retention has taken the segment, so that "
                   "s3://records-eu/new cannot be compared; the next delivery leaves a newer "
                   "head\n"));
    CHECK(!contains(said, "s3://records-eu/old"));
    CHECK(!contains(said, "give a newer head"));
    options.json = true;
    CHECK(contains(verify(1), "\"notes\":[{\"where\":\"head of segment 2\","));
  }
  SECTION("one that the store itself had to name is told, and compared") {
    service.heads = {{1, std::string(64, '0'), "s3://records-eu/x", true}};
    const std::string said = verify(1);
    CHECK(contains(said,
                   "delivery to s3: s3://records-eu: other stores' objects are so many since that "
                   "only the newest one was compared that this store knows to be its own, "
                   "s3://records-eu/x; "));
    CHECK(contains(said, "the store was rolled back and went on, or was written anew"));
    service.heads.front().by_ledger = false;
    CHECK(!contains(verify(1), "other stores' objects"));
  }
  SECTION("one that is of another chain is a problem of its own") {
    service.heads = {{1, std::string(64, '0'), "s3://records-eu/x"}};
    CHECK(contains(verify(1), "the store was rolled back and went on, or was written anew"));
  }
}
