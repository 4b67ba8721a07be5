#include "agent/cli/usage_command.h"

#include <sqlite3.h>

#include <sstream>

#include "tests/catch.h"
#include "tests/contains.h"
#include "tests/unit/agent/cli/example_store.h"

using namespace invlog::cli;
using invlog::tests::ExampleStore;

namespace {

std::string usage(const ExampleStore& store, UsageBy by, RowFormat format = RowFormat::csv,
                  std::optional<std::int64_t> since_us = {},
                  std::optional<std::int64_t> until_us = {}) {
  UsageOptions options;
  options.store = store.options();
  options.by = by;
  options.format = format;
  options.since_us = since_us;
  options.until_us = until_us;
  std::ostringstream out, err;
  CHECK(run_usage(options, out, err) == 0);
  CHECK(err.str().empty());
  return out.str();
}

const std::string kColumns =
    ",calls,errors,input_tokens,output_tokens,cache_read_tokens,cache_write_tokens,avg_ms,max_"
    "ms\r\n";

}  // namespace

TEST_CASE("usage is added up by model, day or caller") {
  const ExampleStore store;
  CHECK(usage(store, UsageBy::model) == "model" + kColumns +
                                            "nova,3,0,3000,30,500,50,1500.0,1500.0\r\n"
                                            "claude,2,2,1000,10,0,0,760.0,1500.0\r\n"
                                            "image,1,0,1000,10,0,0,1500.0,1500.0\r\n");
  CHECK(usage(store, UsageBy::day) == "day" + kColumns +
                                          "2026-10-05,2,0,2000,20,500,50,1500.0,1500.0\r\n"
                                          "2026-10-06,2,2,1000,10,0,0,760.0,1500.0\r\n"
                                          "2026-10-07,2,0,2000,20,0,0,1500.0,1500.0\r\n");
  CHECK(usage(store, UsageBy::caller) == "caller" + kColumns +
                                             "alice,3,0,3000,30,500,50,1500.0,1500.0\r\n"
                                             "bob,2,2,1000,10,0,0,760.0,1500.0\r\n"
                                             ",1,0,1000,10,0,0,1500.0,1500.0\r\n");
}

TEST_CASE("a name that a spreadsheet would compute is text in CSV") {
  const ExampleStore store;
  sqlite3* connection = nullptr;
  REQUIRE(sqlite3_open(store.path().c_str(), &connection) == SQLITE_OK);
  CHECK(sqlite3_exec(connection, "UPDATE label SET text = '=1+2' WHERE text = 'nova'", nullptr,
                     nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(connection);
  CHECK(usage(store, UsageBy::model).starts_with("model" + kColumns + "'=1+2,3,"));
  CHECK(usage(store, UsageBy::model, RowFormat::json).starts_with("{\"model\":\"=1+2\","));
}

TEST_CASE("usage as JSON is an object per group") {
  const ExampleStore store;
  CHECK(usage(store, UsageBy::model, RowFormat::json) ==
        "{\"model\":\"nova\",\"calls\":3,\"errors\":0,\"input_tokens\":3000,\"output_tokens\":30,"
        "\"cache_read_tokens\":500,"
        "\"cache_write_tokens\":50,\"avg_ms\":1500.0,\"max_ms\":1500.0}\n"
        "{\"model\":\"claude\",\"calls\":2,\"errors\":2,\"input_tokens\":1000,\"output_tokens\":10,"
        "\"cache_read_tokens\":0,"
        "\"cache_write_tokens\":0,\"avg_ms\":760.0,\"max_ms\":1500.0}\n"
        "{\"model\":\"image\",\"calls\":1,\"errors\":0,\"input_tokens\":1000,\"output_tokens\":10,"
        "\"cache_read_tokens\":0,"
        "\"cache_write_tokens\":0,\"avg_ms\":1500.0,\"max_ms\":1500.0}\n");
}

TEST_CASE("a span of time is from its start to before its end") {
  const ExampleStore store;
  constexpr std::int64_t kSecondCall = 1'791'208'860'000'000;
  CHECK(usage(store, UsageBy::model, RowFormat::csv, kSecondCall, kSecondCall + 1) ==
        "model" + kColumns + "nova,1,0,1000,10,500,50,1500.0,1500.0\r\n");
  CHECK(usage(store, UsageBy::model, RowFormat::csv, kSecondCall - 1, kSecondCall) ==
        "model" + kColumns);
}

TEST_CASE("what was called without an inference profile has none, which is not unknown") {
  const ExampleStore store;
  const std::string text = usage(store, UsageBy::profile, RowFormat::table);
  CHECK(contains(text, "\n(none) "));
  CHECK_FALSE(contains(text, "unknown"));
}

TEST_CASE("the table ends with the total and names what is unknown") {
  const ExampleStore store;
  CHECK(usage(store, UsageBy::caller, RowFormat::table) ==
        "caller     calls  errors  input_tokens  output_tokens  cache_read_tokens  "
        "cache_write_tokens  avg_ms  max_ms\n"
        "---------  -----  ------  ------------  -------------  -----------------  "
        "------------------  ------  ------\n"
        "alice          3       0         3,000             30                500                  "
        "50  1500.0  1500.0\n"
        "bob            2       2         1,000             10                  0                  "
        " 0   760.0  1500.0\n"
        "(unknown)      1       0         1,000             10                  0                  "
        " 0  1500.0  1500.0\n"
        "total          6       2         5,000             50                500                  "
        "50  1253.3  1500.0\n");
}
