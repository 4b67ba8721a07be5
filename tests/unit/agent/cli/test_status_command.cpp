#include "agent/cli/status_command.h"

#include <unistd.h>

#include <sstream>

#include "agent/cli/display_text.h"
#include "storage/writer.h"
#include "tests/catch.h"
#include "tests/unit/agent/cli/example_store.h"
#include "tests/unit/agent/cli/watched_output.h"

using namespace invlog::cli;
using invlog::tests::contains;
using invlog::tests::ExampleStore;

namespace {

constexpr const char* kStatusFile =
    R"({"pid":4242,"version":"0.1.0","region":"eu-central-1","listen":"127.0.0.1:4180","started_at":"2026-10-05T13:59:00Z",
"calls":9,"recorded":6,"passed_through":2,"denied":1,"dropped":3,"queued_records":5,"queued_bytes":2048,
"storage":{"failing":true,"last_error":"disk full"},"upstream_errors":7,"last_errors":["cannot reach upstream"]})";

std::string status(const ExampleStore& store, bool json, bool running = true) {
  StatusOptions options;
  options.store = store.options();
  options.json = json;
  options.is_invlog = [running](std::int64_t pid) { return running && pid == 4242; };
  std::ostringstream out, err;
  CHECK(run_status(options, out, err) == 0);
  CHECK(err.str().empty());
  return out.str();
}

}  // namespace

TEST_CASE("status shows the store, and that no agent has run") {
  const ExampleStore store;
  const std::string text = status(store, false);
  CHECK(contains(text, "store           " + store.path() + "\n"));
  CHECK(contains(text, "region          eu-central-1\n"));
  CHECK(contains(text, "account         123456789012\n"));
  CHECK(contains(text, "on test-host\n"));
  CHECK(contains(text, "records         6\n"));
  CHECK(contains(text, "from, to        2026-10-05T14:00:00Z, 2026-10-07T00:00:01Z\n"));
  CHECK(contains(text, "agent           none has run"));
  CHECK(contains(text, "LAST FAILED CALLS\n"));
  CHECK(contains(text, "ValidationException"));
  CHECK(contains(text, "client-closed"));
  const std::string json = status(store, true);
  CHECK(contains(json, "\"records\":6,\"body_bytes\":"));
  CHECK(contains(json,
                 ",\"agent_running\":false,\"agent\":null,\"configuration_error\":null,"
                 "\"destinations\":[]}\n"));
}

TEST_CASE("status tells where a store was created, and where it is now if that differs") {
  const ExampleStore store;
  CHECK(!contains(status(store, false), "\nhost "));
  invlog::storage::WriterOptions options;
  options.path = store.path();
  options.region = "eu-central-1";
  options.host = "other-host";
  invlog::storage::Writer(options).stop();
  const std::string text = status(store, false);
  CHECK(contains(text, " on test-host\nhost            other-host\n"));
  CHECK(contains(status(store, true), "\"host\":\"other-host\",\"created_at\":"));
}

TEST_CASE("the status's tables are cut to the terminal's width") {
  const ExampleStore store;
  StatusOptions options;
  options.store = store.options();
  options.terminal_width = 80;
  std::ostringstream out, err;
  CHECK(run_status(options, out, err) == 0);
  std::istringstream tables(out.str().substr(out.str().find("LAST FAILED CALLS")));
  for (std::string line; std::getline(tables, line);) {
    INFO(line);
    CHECK(display_width(line) <= 80);
  }
  CHECK(contains(out.str(), "client-closed"));
}

TEST_CASE("while the status is printed, the store's log can be emptied") {
  const ExampleStore store;
  StatusOptions options;
  options.store = store.options();
  options.json = GENERATE(true, false);
  invlog::tests::WatchedOutput out(store.path());
  std::ostringstream err;
  CHECK(run_status(options, out, err) == 0);
  CHECK(contains(out.text(), "ValidationException"));
  CHECK(out.held() == 0);
}

TEST_CASE("status shows what the agent says of itself") {
  const ExampleStore store;
  store.directory().write("status.json", kStatusFile);
  std::string text = status(store, false);
  CHECK(contains(text, "agent           running, process 4242, version 0.1.0\n"));
  CHECK(contains(text, "listening on    127.0.0.1:4180\n"));
  CHECK(contains(text, "calls           9, 6 recorded, 2 passed through, 1 denied, 3 dropped\n"));
  CHECK(contains(text, "queue           5 records, 2.0 KiB\n"));
  CHECK(contains(text, "upstream errors 7\n"));
  CHECK(contains(text, "storage         FAILING: disk full\n"));
  CHECK(contains(text, "last error      cannot reach upstream\n"));
  CHECK(!contains(text, "refused callers"));
  CHECK(!contains(text, "clients         "));
  text = status(store, false, false);
  CHECK(contains(text, "agent           not running (process 4242 is gone)"));
  CHECK(!contains(text, "listening on"));
  const std::string json = status(store, true);
  CHECK(contains(json, "\"agent_running\":true,\"agent\":{\"pid\":4242,"));
  CHECK(json.find('\n') == json.size() - 1);
}

TEST_CASE("status counts one as one") {
  const ExampleStore store;
  store.directory().write(
      "status.json",
      R"({"pid":4242,"access_denied":1,"connections_refused":1,"queued_records":1})");
  const std::string text = status(store, false);
  CHECK(contains(text, "refused callers 1 call\n"));
  CHECK(contains(text, "clients         1 connection refused at max_connections, "));
  CHECK(contains(text, "queue           1 record, "));
}

TEST_CASE("status names each place where the agent listens") {
  const ExampleStore store;
  store.directory().write("status.json",
                          R"({"pid":4242,"listen":"127.0.0.1:4180","listeners":["127.0.0.1:4180",)"
                          R"("127.0.0.1:8080","unix:/run/invlog/invlog.sock"]})");
  CHECK(contains(status(store, false),
                 "listening on    127.0.0.1:4180, 127.0.0.1:8080, unix:/run/invlog/invlog.sock\n"));
}

TEST_CASE("status shows callers and clients that were turned away") {
  const ExampleStore store;
  store.directory().write(
      "status.json",
      R"({"pid":4242,"access_denied":1234,"connections_refused":2,"slow_clients_cut":5})");
  const std::string text = status(store, false);
  CHECK(contains(text, "refused callers 1,234 calls\n"));
  CHECK(contains(text,
                 "clients         2 connections refused at max_connections, 5 cut for being "
                 "slow\n"));
}

TEST_CASE("a damaged status file is said, and the rest is shown") {
  const ExampleStore store;
  store.directory().write("status.json", "{\"pid\":");
  CHECK(contains(status(store, false), "is not the JSON object that an agent writes"));
  store.directory().write("status.json", "[1]");
  CHECK(contains(status(store, false), "records         6"));
  store.directory().write("status.json", "{\"pid\":\"x\",\"last_errors\":[1,{\"a\":2}]}");
  CHECK(contains(status(store, false), "last error      {\"a\":2}"));
}

TEST_CASE("a process that lives but has another name is not the agent") {
  CHECK(!process_is_invlog(::getpid()));  // this test program
  CHECK(!process_is_invlog(0));
  CHECK(!process_is_invlog(-1));
}
