#include <tuple>

#include "storage/store_error.h"
#include "storage/verify.h"
#include "tests/catch.h"
#include "tests/unit/storage/temporary_store.h"

using namespace invlog::storage;

namespace {

void fill(const TemporaryStore& store, int records = 3) {
  Writer writer(store.options());
  for (int number = 0; number < records; ++number) {
    submit_and_wait(writer, full_record());
  }
}

std::string problems(const TemporaryStore& store) {
  std::string text;
  for (const VerifyProblem& problem : verify_store(store.path(), {}).problems) {
    text += problem.where + ": " + problem.what + "\n";
  }
  return text;
}

std::string view_of(const TemporaryStore& store) {
  return store.query("SELECT sql FROM sqlite_schema WHERE name = 'invocations'");
}

}  // namespace

TEST_CASE("The view's times are cut off, and not rounded", "[verify]") {
  TemporaryStore store;
  const auto shown = [&](std::int64_t id) {
    return store.query("SELECT started_at || ' ' || day FROM invocations WHERE id = " +
                       std::to_string(id));
  };
  {
    Writer writer(store.options());
    for (const std::int64_t at :
         {1'790'000'001'999'600, 1'790'035'199'999'999, 1'790'000'000'000'999}) {
      Record record = full_record();
      record.started_at_us = at;
      submit_and_wait(writer, record);
    }
  }
  CHECK(shown(1) == "2026-09-21T14:13:21.999Z 2026-09-21");
  CHECK(shown(2) == "2026-09-21T23:59:59.999Z 2026-09-21");
  CHECK(shown(3) == "2026-09-21T14:13:20.000Z 2026-09-21");
  // A store with the view of before is whole, and gets this one when an agent opens it.
  const std::string now = view_of(store);
  std::string before = now;
  const std::size_t from = before.find("  strftime("), to = before.find(" AS started_at");
  REQUIRE((from < to && to != std::string::npos));
  before.replace(from, to - from,
                 "  strftime('%Y-%m-%dT%H:%M:%fZ', started_at / 1000000.0, 'unixepoch')");
  store.tamper("DROP VIEW invocations; " + before);
  CHECK(shown(2).starts_with("2026-09-22T00:00:00.000Z"));
  CHECK(problems(store).empty());
  { Writer writer(store.options()); }
  CHECK(view_of(store) == now);
  CHECK(problems(store).empty());
}
