#include "agent/cli/verify_command.h"

#include <sqlite3.h>

#include <sstream>

#include "tests/catch.h"
#include "tests/unit/agent/cli/example_store.h"

using namespace invlog::cli;
using invlog::tests::contains;
using invlog::tests::ExampleStore;

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
