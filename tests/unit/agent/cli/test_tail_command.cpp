#include "agent/cli/tail_command.h"

#include <sqlite3.h>

#include <filesystem>
#include <sstream>

#include "tests/catch.h"
#include "tests/unit/agent/cli/example_store.h"
#include "tests/unit/agent/cli/watched_output.h"
#include "tests/unit/storage/temporary_store.h"

using namespace invlog::cli;
using invlog::tests::contains;
using invlog::tests::ExampleStore;

TEST_CASE("tail shows the newest records, one a line") {
  const ExampleStore store;
  TailOptions options;
  options.store = store.options();
  options.records = 4;
  std::ostringstream out, err;
  REQUIRE(run_tail(options, out, err) == 0);
  const std::string text = out.str();
  CHECK(std::count(text.begin(), text.end(), '\n') == 4);
  CHECK(contains(text,
                 "      3  2026-10-06T09:00:00Z  Converse        400 ValidationException  claude"));
  CHECK(contains(text, "200 client-closed"));
  CHECK(contains(text, "200 ok"));
  CHECK(contains(text, "1,000→10"));
  CHECK(contains(text, "1500 ms  alice\n"));
  CHECK(!contains(text, "14:01:00"));

  options.terminal_width = 30;
  std::ostringstream narrow;
  run_tail(options, narrow, err);
  CHECK(narrow.str().substr(0, narrow.str().find('\n')) == "      3  2026-10-06T09:00:00Z…");

  // What became of the call, and of which model, is to be seen on a usual terminal.
  options.terminal_width = 80;
  std::ostringstream usual;
  run_tail(options, usual, err);
  CHECK(contains(usual.str(), "  Converse        400 ValidationException  claude"));
  CHECK(contains(usual.str(), "  Converse        200 ok        nova"));
  options.terminal_width = 120;
  std::ostringstream wide;
  run_tail(options, wide, err);
  CHECK(contains(wide.str(),
                 "200 ok        nova                         1,000→10    1500 ms  alice\n"));

  options.json = true;
  options.records = 1;
  std::ostringstream json;
  run_tail(options, json, err);
  CHECK(contains(json.str(), "{\"id\":6,\"started_at\":\"2026-10-07T00:00:01.000Z\""));

  options.records = 0;
  std::ostringstream nothing;
  CHECK(run_tail(options, nothing, err) == 0);
  CHECK(nothing.str().empty());
}

TEST_CASE("tail ends at a damaged page that gives smaller numbers than it was asked for") {
  const invlog::storage::TemporaryStore store;
  fill_marked(store);
  repeat_a_page_twice(store);
  TailOptions options;
  options.store.store = store.path();
  options.records = 300;
  std::ostringstream out, err;
  CHECK_THROWS_WITH(run_tail(options, out, err), contains_text("rows are out of order"));
}

TEST_CASE("following shows what an agent adds, through its restart and a new store") {
  const ExampleStore store;
  TailOptions options;
  options.store = store.options();
  options.records = 0;
  options.follow = true;
  options.json = true;
  std::ostringstream out, err;
  int look = 0;
  options.wait = [&] {
    switch (++look) {
      case 1:
        CHECK(out.str().empty());
        store.append("first");
        return true;
      case 2:
        CHECK(contains(out.str(), "{\"id\":7,"));
        store.append("second");  // another writer, as after a restart
        return true;
      case 3:
        CHECK(contains(out.str(), "{\"id\":8,"));
        for (const char* suffix : {"", "-wal", "-shm", "-lock"}) {
          std::filesystem::remove(store.path() + suffix);
        }
        return true;
      case 4:
        store.append("in a new file");
        return true;
      default:
        return look < 6;
    }
  };
  CHECK(run_tail(options, out, err) == 0);
  const std::string text = out.str();
  CHECK(std::count(text.begin(), text.end(), '\n') == 3);
  CHECK(contains(text, "{\"id\":1,"));
  CHECK(err.str().empty());
}

TEST_CASE("following a store that was removed and restored prints nothing twice") {
  const ExampleStore store;
  TailOptions options;
  options.store = store.options();
  options.records = 6;
  options.follow = true;
  options.json = true;
  std::ostringstream out, err;
  int look = 0;
  options.wait = [&] {
    const std::string copy = store.path() + "-copy";
    switch (++look) {
      case 1:
        std::filesystem::copy_file(store.path(), copy);
        for (const char* suffix : {"", "-wal", "-shm"}) {
          std::filesystem::remove(store.path() + suffix);
        }
        std::filesystem::rename(copy, store.path());
        return true;
      case 2:
        store.append("after it");
        return true;
      default:
        return look < 4;
    }
  };
  CHECK(run_tail(options, out, err) == 0);
  const std::string text = out.str();
  CHECK(std::count(text.begin(), text.end(), '\n') == 7);
  CHECK(contains(text, "{\"id\":7,"));
}

TEST_CASE("following ends when nobody reads any more") {
  const ExampleStore store;
  TailOptions options;
  options.store = store.options();
  options.follow = true;
  options.wait = [] {
    FAIL("it goes on");
    return false;
  };
  std::ostringstream out, err;
  out.setstate(std::ios::badbit);
  CHECK(run_tail(options, out, err) == 0);
}

TEST_CASE("while records are printed, the store's log can be emptied, and none is left out") {
  const ExampleStore store;
  // The rows that `tail` shows, up to this id, whose bodies it does not look for.
  const auto add_up_to = [&store](int last) {
    sqlite3* connection = nullptr;
    REQUIRE(sqlite3_open(store.path().c_str(), &connection) == SQLITE_OK);
    const std::string columns = "started_at, flags, request_bytes, response_bytes, checksum";
    const std::string sql =
        "WITH RECURSIVE added(number) AS (SELECT max(id) + 1 FROM record UNION ALL "
        "SELECT number + 1 FROM added WHERE number < " +
        std::to_string(last) + ") INSERT INTO record(id, " + columns + ") SELECT number, " +
        columns + " FROM added, record WHERE record.id = 6";
    CHECK(sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(connection);
  };
  add_up_to(606);
  TailOptions options;
  options.store = store.options();
  options.records = 600;
  options.follow = true;
  options.json = GENERATE(true, false);
  int look = 0;
  options.wait = [&] {
    if (++look == 1) {
      add_up_to(607);
    }
    return look < 3;
  };
  invlog::tests::WatchedOutput out(store.path());
  std::ostringstream err;
  CHECK(run_tail(options, out, err) == 0);
  std::istringstream lines(out.text());
  std::int64_t id = 6;
  for (std::string line; std::getline(lines, line);) {
    ++id;
    CHECK(contains(line, options.json ? "{\"id\":" + std::to_string(id) + ","
                                      : " " + std::to_string(id) + "  2026-"));
  }
  CHECK(id == 607);
  CHECK(out.writes() >= 4);  // in portions
  CHECK(out.held() == 0);
}
