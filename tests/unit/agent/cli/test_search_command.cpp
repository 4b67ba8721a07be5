#include "agent/cli/search_command.h"

#include <sstream>

#include "storage/base64.h"
#include "tests/catch.h"
#include "tests/unit/agent/cli/example_store.h"

using namespace invlog::cli;
using invlog::storage::Bodies;
using invlog::tests::contains;
using invlog::tests::ExampleStore;

namespace {

std::string search(const ExampleStore& store, SearchOptions options) {
  options.store = store.options();
  std::ostringstream out, err;
  CHECK(run_search(options, out, err) == 0);
  return out.str() + err.str();
}

SearchOptions with_text(std::string text) {
  SearchOptions options;
  options.text = std::move(text);
  return options;
}

}  // namespace

TEST_CASE("text is found in requests and responses") {
  const ExampleStore store;
  CHECK(search(store, with_text("Hello")) ==
        "1  2026-10-05T14:00:00Z  nova  request: {\"text\":\"Hello\"}\n");
  CHECK(search(store, with_text("Hi")) ==
        "1  2026-10-05T14:00:00Z  nova  response: {\"text\":\"Hi\"}\n");
  CHECK(search(store, with_text("absent")) == "invlog search: not found in 6 records\n");
  CHECK(contains(search(store, with_text(" raw")), "5  2026-10-07T00:00:00Z  image  request: "));
}

TEST_CASE("text is found in each form in which JSON may write it") {
  const ExampleStore store;
  CHECK(contains(search(store, with_text("München")), "2  2026-10-05T14:01:00Z  nova  request: "));
  CHECK(contains(search(store, with_text("\xf0\x9f\x98\x80")),
                 "nova  request: "));  // a surrogate pair
  CHECK(contains(search(store, with_text("Grüß \"dich\"")), "nova  response: "));
  CHECK(contains(search(store, with_text("two\nlines, \"quoted\"")), "6  "));
}

TEST_CASE("a search is narrowed by body, time and number") {
  const ExampleStore store;
  SearchOptions options = with_text("text");
  const auto lines = [&] {
    const std::string text = search(store, options);
    return std::count(text.begin(), text.end(), '\n');
  };
  CHECK(lines() == 8);  // requests 1 to 4 and 6, responses 1, 2 and 4
  options.where = Bodies::request;
  CHECK(lines() == 5);
  options.limit = 2;
  CHECK(lines() == 2);
  options.limit = 0;
  options.since_us = 1'791'208'860'000'000;  // the second call
  CHECK(lines() == 4);
  options.until_us = 1'791'208'860'000'001;
  CHECK(contains(search(store, options), "2  2026-10-05T14:01:00Z"));
  CHECK(lines() == 1);
}

TEST_CASE("a match is shown within its surroundings, cut at characters") {
  const ExampleStore store;
  store.append(std::string(30, 'x') + "üüüüüüüüüüüüüüüüüüüüüüüüü needle " + std::string(100, 'y'));
  const std::string line = search(store, with_text("needle"));
  CHECK(contains(line, "request: …"));
  CHECK(contains(line, "ü needle yyyy"));
  CHECK(contains(line, "y…\n"));
  CHECK(!contains(line, "\xef\xbf\xbd"));
}

TEST_CASE("as JSON a match has its place") {
  const ExampleStore store;
  SearchOptions options = with_text("Hello");
  options.json = true;
  CHECK(search(store, options) ==
        "{\"id\":1,\"started_at\":\"2026-10-05T14:00:00Z\",\"model\":\"nova\",\"request_id\":\"\","
        "\"in\":\"request\","
        "\"offset\":9,\"snippet\":\"{\\\"text\\\":\\\"Hello\\\"}\"}\n");
}

TEST_CASE("what the details keep of request and response is found, too") {
  const ExampleStore store;
  store.append("", R"({"otherRequestEvents":[{"type":"a","payload":{"text":"ask Ada"}}],)"
                   R"("undecoded":")" +
                       invlog::storage::base64_encode(R"({"text":"tell Bob"})") + "\"}");
  CHECK(search(store, with_text("Bob")) ==
        "7  2026-10-15T14:00:00Z  nova  details: {\"text\":\"tell Bob\"}\n");
  SearchOptions options = with_text("Ada");
  options.json = true;
  const std::string line = search(store, options);
  CHECK(contains(line, "\"in\":\"details\",\"offset\":58,"));
  CHECK(contains(line, "ask Ada"));
  options.where = Bodies::response;
  CHECK(search(store, options) == "invlog search: not found in 7 records\n");
}

TEST_CASE("an empty text is wrong usage") {
  std::ostringstream out, err;
  CHECK(run_search(SearchOptions{}, out, err) == 2);
}
