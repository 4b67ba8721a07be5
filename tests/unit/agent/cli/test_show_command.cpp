#include "agent/cli/show_command.h"

#include <sstream>

#include "agent/cli/erase_command.h"
#include "tests/catch.h"
#include "tests/unit/agent/cli/example_store.h"
#include "tests/unit/agent/cli/watched_output.h"

using namespace invlog::cli;
using invlog::tests::contains;
using invlog::tests::ExampleStore;

namespace {

std::string show(const ExampleStore& store, const std::string& id,
                 ShowWhat what = ShowWhat::everything, bool terminal = false) {
  ShowOptions options;
  options.store = store.options();
  options.id = id;
  options.what = what;
  options.terminal = terminal;
  std::ostringstream out, err;
  const int exit_code = run_show(options, out, err);
  CHECK((exit_code == 0) == err.str().empty());
  return exit_code == 0 ? out.str() : "exit " + std::to_string(exit_code) + ": " + err.str();
}

}  // namespace

TEST_CASE("a record is shown by its number or its request id") {
  const ExampleStore store;
  const std::string shown = show(store, "2");
  CHECK(contains(shown, "id                  2\n"));
  CHECK(contains(shown, "model               nova\n"));
  CHECK(
      contains(shown, "\nREQUEST  application/json  39 bytes\n{\n  \"text\": \"in M\\u00fcnchen"));
  CHECK(contains(shown, "\nRESPONSE  application/json  "));
  CHECK(contains(shown, "\"Grüß \\\"dich\\\"\""));
  CHECK(!contains(shown, "error"));
  CHECK(show(store, invlog::tests::kSecondRequestId) == shown);
  CHECK(contains(show(store, "7"), "exit 1: invlog show: there is no record"));
  CHECK(contains(show(store, "no-such-id"), "no-such-id"));
}

TEST_CASE("a request id may be all digits: what is no record's number may be one") {
  const ExampleStore store;
  store.append("seven", "", "", "2042");
  CHECK(contains(show(store, "2042"), "id                  7\n"));
  store.append("eight", "", "", "3");
  CHECK(contains(show(store, "3"), "id                  3\n"));
}

TEST_CASE("bodies come out byte for byte") {
  const ExampleStore store;
  CHECK(show(store, "5", ShowWhat::request) == invlog::tests::kBinaryRequest);
  CHECK(show(store, "5", ShowWhat::response) == "");
  CHECK(show(store, "6", ShowWhat::request) == "{\n  \"text\": \"two\\nlines, \\\"quoted\\\"\"\n}");
  CHECK(show(store, "1", ShowWhat::response) == R"({"text":"Hi"})");
}

TEST_CASE("the record is AWS's line") {
  const ExampleStore store;
  const std::string line = show(store, "1", ShowWhat::record);
  CHECK(contains(line, "{\"schemaType\":\"ModelInvocationLog\""));
  CHECK(contains(line, "\"inputBodyJson\":{\"text\":\"Hello\"}"));
  CHECK(line.find('\n') == line.size() - 1);
}

TEST_CASE("as JSON a record has the columns and the bodies on one line") {
  const ExampleStore store;
  const std::string line = show(store, "6", ShowWhat::json);
  CHECK(contains(line, "{\"id\":6,"));
  CHECK(
      contains(line, ",\"request\":{\"text\":\"two\\nlines, \\\"quoted\\\"\"},\"response\":{}}\n"));
  CHECK(line.find('\n') == line.size() - 1);
  CHECK(contains(show(store, "5", ShowWhat::json), "\"request_base64\":\"AP8BIHJhdw==\"}"));
}

TEST_CASE("of an erased record it is said that it was") {
  const ExampleStore store;
  CHECK(!contains(show(store, "1") + show(store, "1", ShowWhat::json), "erased"));
  EraseOptions first;
  first.store = store.options();
  first.scope.where = "id = 1";
  first.yes = true;
  std::ostringstream out, err;
  REQUIRE(run_erase(first, out, err) == 0);
  const std::string shown = show(store, "1");
  CHECK(contains(shown, "\nREQUEST  application/json  erased\n"));
  CHECK(contains(shown, "\nRESPONSE  application/json  erased\n"));
  CHECK(contains(show(store, "1", ShowWhat::json), ",\"erased\":true}\n"));
  CHECK(contains(show(store, "1", ShowWhat::record), "\"erased\":true"));
  CHECK(!contains(show(store, "2"), "erased"));
}

TEST_CASE("on a terminal, JSON is shown without what it would obey, and stays JSON") {
  const ExampleStore store;
  store.append(
      "a\xc2\x9b"
      "2Jb\x7f\xc3\xbc");
  for (const ShowWhat what : {ShowWhat::everything, ShowWhat::json, ShowWhat::record}) {
    CHECK(contains(show(store, "7", what),
                   "a\xc2\x9b"
                   "2Jb\x7f\xc3\xbc"));
    CHECK(contains(show(store, "7", what, true), "a\\u009b2Jb\\u007f\xc3\xbc"));
  }
}

TEST_CASE("what is not JSON is shown without what a terminal would obey") {
  const ExampleStore store;
  CHECK(contains(show(store, "5"), "REQUEST  image/png  7 bytes\n\\x00\xef\xbf\xbd\\x01 raw\n"));
  CHECK(contains(show(store, "4"), "cut by the agent's bound"));
}

TEST_CASE("while a record is printed, the store's log can be emptied") {
  const ExampleStore store;
  for (const ShowWhat what : {ShowWhat::everything, ShowWhat::json, ShowWhat::record,
                              ShowWhat::request, ShowWhat::response}) {
    ShowOptions options;
    options.store = store.options();
    options.id = "2";
    options.what = what;
    invlog::tests::WatchedOutput out(store.path());
    std::ostringstream err;
    CHECK(run_show(options, out, err) == 0);
    CHECK(out.text() == show(store, "2", what));
    CHECK(out.writes() > 0);
    CHECK(out.held() == 0);
  }
}
