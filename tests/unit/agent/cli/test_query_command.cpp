#include "agent/cli/query_command.h"

#include <sstream>

#include "tests/catch.h"
#include "tests/unit/agent/cli/command_answer.h"
#include "tests/unit/agent/cli/example_store.h"

using namespace invlog::cli;
using invlog::tests::CommandAnswer;
using invlog::tests::contains;
using invlog::tests::ExampleStore;

namespace {

CommandAnswer query(const ExampleStore& store, const std::string& sql,
                    RowFormat format = RowFormat::table, int width = 0) {
  QueryOptions options;
  options.store = store.options();
  options.sql = sql;
  options.format = format;
  options.terminal_width = width;
  std::ostringstream out, err;
  const int exit_code = run_query(options, out, err);
  return {exit_code, out.str(), err.str()};
}

}  // namespace

TEST_CASE("a query is printed as a table, as JSON or as CSV") {
  const ExampleStore store;
  const std::string sql =
      "SELECT id, model, error, latency_ms FROM invocations WHERE id IN (2, 3) ORDER BY id";
  CHECK(query(store, sql).out ==
        "id  model   error                latency_ms\n"
        "--  ------  -------------------  ----------\n"
        " 2  nova                               1500\n"
        " 3  claude  ValidationException          20\n");
  CHECK(query(store, sql, RowFormat::json).out ==
        "{\"id\":2,\"model\":\"nova\",\"error\":null,\"latency_ms\":1500}\n"
        "{\"id\":3,\"model\":\"claude\",\"error\":\"ValidationException\",\"latency_ms\":20}\n");
  CHECK(query(store, sql, RowFormat::csv).out ==
        "id,model,error,latency_ms\r\n2,nova,,1500\r\n3,claude,ValidationException,20\r\n");
}

TEST_CASE("the bodies are at hand, whatever bytes they are") {
  const ExampleStore store;
  CHECK(query(store, "SELECT invlog_request(6) AS r", RowFormat::csv).out ==
        "r\r\n\"{\n  \"\"text\"\": \"\"two\\nlines, \\\"\"quoted\\\"\"\"\"\n}\"\r\n");
  CHECK(contains(query(store, "SELECT invlog_request(6)").out, "{\\n  \"text\": "));
  CHECK(contains(query(store, "SELECT invlog_request(5)").out, "x'00ff0120726177'"));
  CHECK(query(store, "SELECT invlog_request(5) AS r", RowFormat::json).out ==
        "{\"r\":{\"base64\":\"AP8BIHJhdw==\"}}\n");
  CHECK(
      query(store, "SELECT json_extract(invlog_request(1), '$.text') AS t", RowFormat::json).out ==
      "{\"t\":\"Hello\"}\n");
}

TEST_CASE("numbers keep their value, text its quotes") {
  const ExampleStore store;
  CHECK(
      query(store, "SELECT 0.1 AS a, 9e999 AS b, '' AS c, NULL AS d, 'x\"y' AS e", RowFormat::json)
          .out == "{\"a\":0.1,\"b\":null,\"c\":\"\",\"d\":null,\"e\":\"x\\\"y\"}\n");
  CHECK(query(store, "SELECT 'a,b' AS a, '' AS b, NULL AS c, 'x\"y' AS \"d,e\"", RowFormat::csv)
            .out == "a,b,c,\"d,e\"\r\n\"a,b\",\"\",,\"x\"\"y\"\r\n");
}

TEST_CASE("CSV has what the store has, on a terminal without what that would obey") {
  const ExampleStore store;
  const char* const sql = "SELECT 'a' || char(10) || 'b' || char(27, 146) || '[2K' AS t";
  CHECK(query(store, sql, RowFormat::csv, 80).out == "t\r\n\"a\nb\\x1B\\x92[2K\"\r\n");
  CHECK(query(store, sql, RowFormat::csv).out == "t\r\n\"a\nb\x1B\xC2\x92[2K\"\r\n");
}

TEST_CASE("several statements run in order, comments are none") {
  const ExampleStore store;
  const CommandAnswer answer = query(store, "-- first\nSELECT 1 AS a; SELECT 2 AS b;\n-- end\n");
  CHECK(answer.exit_code == 0);
  CHECK(answer.out == "a\n-\n1\n\nb\n-\n2\n");
  CHECK(query(store, " -- nothing\n").exit_code == 2);
  CHECK(query(store, "").exit_code == 2);
}

TEST_CASE("long cells are cut on a terminal only") {
  const ExampleStore store;
  const std::string sql = "SELECT printf('%.*c', 100, 'x') AS long";
  CHECK(contains(query(store, sql, RowFormat::table, 40).out, std::string(39, 'x') + "…\n"));
  CHECK(contains(query(store, sql).out, std::string(100, 'x') + "\n"));
}

TEST_CASE("what would write is refused") {
  const ExampleStore store;
  for (const char* sql :
       {"DELETE FROM record", "UPDATE label SET text = ''", "DROP TABLE record",
        "SELECT 1; INSERT INTO event(at, kind) VALUES (1, 'x')", "PRAGMA user_version = 7"}) {
    INFO(sql);
    const CommandAnswer answer = query(store, sql);
    CHECK(answer.exit_code == 1);
    CHECK(!answer.err.empty());
  }
  CHECK(contains(query(store, "DELETE FROM record").err, "this statement would write"));
  CHECK(query(store, "SELECT count(*) AS n FROM record", RowFormat::csv).out == "n\r\n6\r\n");
}

TEST_CASE("an SQL error points at its place") {
  const ExampleStore store;
  CommandAnswer answer = query(store, "SELECT id,\n  modle FROM invocations");
  CHECK(answer.exit_code == 1);
  CHECK(
      answer.err ==
      "invlog query: no such column: modle\n    modle FROM invocations\n    ^ line 2, column 3\n");
  answer = query(store, "SELECT 1; SELEC 2");
  CHECK(answer.exit_code == 1);
  CHECK(contains(answer.out, "1"));
  CHECK(contains(answer.err, "^ line 1, column 11"));
  CHECK(query(store, "SELECT json('{')").exit_code == 1);
}

TEST_CASE("a store that is not there is said, with what to do") {
  QueryOptions options;
  options.sql = "SELECT 1";
  options.store.store = "/nonexistent/x.db";
  std::ostringstream out, err;
  CHECK(run_query(options, out, err) == 1);
  CHECK(contains(err.str(), "/nonexistent/x.db"));
  options.store = {};
  options.store.state_dir = "/nonexistent";
  CHECK(run_query(options, out, err) == 1);  // the same by another option
  CHECK(contains(err.str(), "there is no store (*.db) in /nonexistent"));
}
