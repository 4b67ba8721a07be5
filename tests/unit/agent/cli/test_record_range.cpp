#include "agent/cli/record_range.h"

#include <sqlite3.h>

#include <fstream>
#include <sstream>

#include "agent/cli/export_command.h"
#include "agent/cli/search_command.h"
#include "agent/cli/usage_command.h"
#include "tests/catch.h"
#include "tests/unit/agent/cli/example_store.h"
#include "tests/unit/storage/temporary_store.h"

using namespace invlog::cli;
using invlog::storage::TemporaryStore;
using invlog::tests::contains;
using invlog::tests::ExampleStore;

namespace {

constexpr std::int64_t kSecondCall = 1'791'208'860'000'000;

// The exit code, and what was said.
template <typename Options>
std::string run(int (*command)(const Options&, std::ostream&, std::ostream&), Options options,
                std::int64_t since_us, std::int64_t until_us) {
  const ExampleStore store;
  options.store = store.options();
  options.since_us = since_us;
  options.until_us = until_us;
  std::ostringstream out, err;
  const int exit_code = command(options, out, err);
  return std::to_string(exit_code) + " " + err.str() + (exit_code == 0 ? "" : out.str());
}

// What is in the store of the table `record` at this place: 0 the first page, -1 the last one.
void damage_a_page(const TemporaryStore& store, int place) {
  const std::string leaves =
      "FROM dbstat WHERE name = 'record' AND pagetype = 'leaf' ORDER BY path ";
  REQUIRE(std::stoi(store.query("SELECT count(*) " + leaves)) >= 3);
  const long page = std::stol(
      store.query("SELECT pageno " + leaves +
                  (place < 0 ? "DESC LIMIT 1" : "LIMIT 1 OFFSET " + std::to_string(place))));
  const long size = std::stol(store.query("PRAGMA page_size"));
  std::fstream file(store.path(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp((page - 1) * size);
  file << std::string(static_cast<std::size_t>(size), '\xff');
}

long lines_of(const std::string& text) {
  return std::count(text.begin(), text.end(), '\n');
}

}  // namespace

TEST_CASE(
    "a damaged page of records costs its records only, wherever it is, and with a period too") {
  const int place = GENERATE(0, 1, -1);
  CAPTURE(place);
  const TemporaryStore store;
  invlog::storage::fill_marked(store);
  damage_a_page(store, place);
  ExportOptions options;
  options.store.store = store.path();
  std::vector<long> exported;
  for (const bool period : {false, true}) {
    if (period) {
      options.since_us = 0;
    }
    std::ostringstream out, err;
    CHECK(run_export(options, out, err) == 1);
    CHECK(contains(err.str(), place < 0 ? " damaged record" : " damaged records left out"));
    exported.push_back(lines_of(out.str()));
  }
  CHECK(exported[0] > 100);
  CHECK(exported[0] < 300);
  CHECK(exported[1] == exported[0]);
  SearchOptions search;
  search.store = options.store;
  search.text = "no such text";
  search.since_us = 0;
  std::ostringstream out, err;
  CHECK(run_search(search, out, err) == 1);
  CHECK(contains(err.str(), "not found in " + std::to_string(exported[0]) + " records"));
}

TEST_CASE("what retention takes while others are visited is told") {
  const ExampleStore store;
  for (const char* text : {"seven", "eight", "nine"}) {
    store.append(text);
  }
  int code = 0;
  std::ostringstream progress_to, err;
  const auto reader = open_store(store.options(), err, code);
  REQUIRE(reader);
  Progress progress(progress_to, "", 0);
  std::vector<std::int64_t> visited;
  const LeftOutRecords left_out = each_in_range(
      *reader, {}, invlog::storage::Bodies::none, progress,
      [&](invlog::storage::StoredRecord& stored) {
        visited.push_back(stored.id);
        if (stored.id == 1) {
          sqlite3* connection = nullptr;
          sqlite3_open(store.path().c_str(), &connection);
          CHECK(sqlite3_exec(connection,
                             "DELETE FROM record WHERE id <= 8; DELETE FROM segment WHERE "
                             "first_record <= 8",
                             nullptr, nullptr, nullptr) == SQLITE_OK);
          sqlite3_close(connection);
        }
        return true;
      });
  CHECK(visited == std::vector<std::int64_t>{1, 9});
  CHECK(left_out.any());
  CHECK(left_out.damaged == 0);
  left_out.print("invlog export", err);
  CHECK(err.str() ==
        "invlog export: 7 records, of 2 to 8, left out: retention took what had not been read "
        "yet\n");
}

TEST_CASE("a period that ends before it begins is a mistake, not one without calls") {
  SearchOptions search;
  search.text = "M\u00fcnchen";
  for (const std::int64_t until_us : {kSecondCall, kSecondCall - 1}) {
    CHECK(run(run_export, ExportOptions(), kSecondCall, until_us) ==
          "2 invlog export: the period is empty: --since must be before --until\n");
    CHECK(run(run_usage, UsageOptions(), kSecondCall, until_us) ==
          "2 invlog usage: the period is empty: --since must be before --until\n");
    CHECK(run(run_search, search, kSecondCall, until_us) ==
          "2 invlog search: the period is empty: --since must be before --until\n");
  }
  CHECK(run(run_export, ExportOptions(), kSecondCall, kSecondCall + 1) == "0 ");
  CHECK(run(run_usage, UsageOptions(), kSecondCall, kSecondCall + 1) == "0 ");
  CHECK(run(run_search, search, kSecondCall, kSecondCall + 1) == "0 ");
}
