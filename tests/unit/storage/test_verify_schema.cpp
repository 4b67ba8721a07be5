#include <tuple>

#include "storage/store_error.h"
#include "storage/verify.h"
#include "tests/catch.h"
#include "tests/unit/storage/temporary_store.h"

using namespace invlog::storage;

namespace {

void fill_valid(const TemporaryStore& store, int records = 3) {
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

// SQL that writes another definition of a table into the schema.
std::string redefine(const std::string& table, const std::string& from, const std::string& to) {
  return "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, " + from + ", " +
         to + ") WHERE name = '" + table + "'; PRAGMA writable_schema = OFF";
}

// As a store was before there were record.destinations and `trail`.
void make_first(const TemporaryStore& store) {
  std::string view = view_of(store);
  const auto replace = [&view](const std::string& from, const std::string& to) {
    const std::size_t at = view.find(from);
    REQUIRE(at != std::string::npos);
    view.replace(at, from.size(), to);
  };
  replace("  (SELECT text FROM label WHERE label.id = destinations) AS destinations,\n", "");
  replace(
      "coalesce((SELECT text FROM label WHERE label.id = inference_region),\n"
      "           (SELECT region FROM trail WHERE trail.record = record.id))",
      "(SELECT text FROM label WHERE label.id = inference_region)");
  replace(
      "strftime('%Y-%m-%dT%H:%M:%S', started_at / 1000000, 'unixepoch') || printf('.%03dZ', "
      "started_at / 1000 % 1000) AS",
      "strftime('%Y-%m-%dT%H:%M:%fZ', started_at / 1000000.0, 'unixepoch') AS");
  store.tamper(
      "DROP VIEW invocations; DROP TABLE trail; ALTER TABLE record DROP COLUMN "
      "destinations; " +
      view);
}

}  // namespace

TEST_CASE("Columns that changed their names are found", "[verify]") {
  TemporaryStore store;
  fill_valid(store);
  REQUIRE(problems(store).empty());
  const auto swapped = [&](const std::string& table, const std::string& a, const std::string& b) {
    const std::string rename = "; ALTER TABLE " + table + " RENAME COLUMN ";
    store.tamper("DROP VIEW invocations" + rename + a + " TO z" + rename + b + " TO " + a + rename +
                 "z TO " + b + "; " + view_of(store));
    return problems(store);
  };
  for (const auto& [table, a, b] : {std::tuple{"record", "input_tokens", "output_tokens"},
                                    {"record", "caller", "identity"},
                                    {"record", "status", "output_tokens"},
                                    {"record", "destinations", "profile"},
                                    {"event", "at", "count"},
                                    {"event", "kind", "details"},
                                    {"segment", "opened_at", "closed_at"},
                                    {"store", "account_id", "host"},
                                    {"label", "id", "text"},
                                    {"chunk", "id", "bytes"}}) {
    INFO(table << " " << a << " " << b);
    CHECK_THAT(swapped(table, a, b), contains_text(std::string("the table `") + table + "`"));
    CHECK(swapped(table, a, b).empty());
  }
}

TEST_CASE("A table is defined as invlog defined it, comments and white space apart", "[verify]") {
  TemporaryStore store;
  fill_valid(store);
  const std::string pin = "GENERATED ALWAYS AS ('eu-central-1')";
  const auto quoted = [](const std::string& text) {
    std::string sql = "'";
    for (const char character : text) {
      sql += character == '\'' ? "''" : std::string(1, character);
    }
    return sql + "'";
  };
  SECTION("a pin in a comment") {
    store.tamper(redefine("record", quoted(pin),
                          quoted("AS (iif(id=8,'eu-west-1','eu-central-1')) /* " + pin + " */")));
    CHECK_THAT(problems(store), contains_text("the table `record`"));
  }
  SECTION("a pin in a text") {
    store.tamper(redefine(
        "record", quoted(pin),
        quoted("CHECK (" + quoted(pin) + " <> '--') AS (iif(id=8,'eu-west-1','eu-central-1'))")));
    CHECK_THAT(problems(store), contains_text("the table `record`"));
  }
  SECTION("names exchanged in the schema's text") {
    store.tamper(redefine("record", "'status  '", "'output_tokens2'") + "; " +
                 redefine("record", "'output_tokens '", "'status '") + "; " +
                 redefine("record", "'output_tokens2'", "'output_tokens '"));
    CHECK_THAT(problems(store), contains_text("the table `record`"));
  }
  SECTION("a type") {
    store.tamper(redefine("record", "'duration           INTEGER'", "'duration ANY'"));
    CHECK_THAT(problems(store), contains_text("the table `record`"));
  }
  SECTION("a column more") {
    store.tamper("ALTER TABLE event ADD COLUMN more INTEGER");
    CHECK_THAT(problems(store), contains_text("the table `event`"));
  }
  SECTION("no table at all") {
    store.tamper("DROP VIEW invocations; DROP TABLE event");
    CHECK_THAT(problems(store), contains_text("the table `event`"));
  }
  SECTION("two words made one") {
    store.tamper(redefine("event", "'details TEXT'", "'detailsTEXT ANY'"));
    CHECK_THAT(problems(store), contains_text("the table `event`"));
  }
  SECTION("comments and white space") {
    store.tamper(redefine("event", "'INTEGER PRIMARY KEY'",
                          "'INTEGER/* a comment */PRIMARY' || char(9) || 'KEY -- another '''"
                          " || char(10)"));
    CHECK(store.query("SELECT sql LIKE '%another%' FROM sqlite_schema WHERE name = 'event'") ==
          "1");
    CHECK(problems(store).empty());
  }
}

TEST_CASE("A store that was given its newest column later verifies, before and after", "[verify]") {
  TemporaryStore store;
  {
    Writer writer(store.options());
    Record record = full_record();
    record.destinations.clear();
    submit_and_wait(writer, record);
  }
  make_first(store);
  CHECK(problems(store).empty());
  fill_valid(store);
  CHECK(store.query("SELECT sql NOT LIKE '%Regions with commas%' FROM sqlite_schema WHERE name = "
                    "'record'") == "1");
  CHECK(store.query("SELECT count(*) FROM pragma_table_xinfo('record') WHERE name = "
                    "'destinations'") == "1");
  CHECK(problems(store).empty());
}

TEST_CASE("Account and host are what events say of the store's birth", "[verify]") {
  TemporaryStore store;
  const auto after = [&](const std::string& sql) {
    store.tamper(sql);
    return problems(store);
  };
  SECTION("all known at birth") {
    fill_valid(store);
    CHECK(store.query("SELECT details FROM event WHERE id = 1 AND kind = 'store-created'") ==
          R"({"region":"eu-central-1","account_id":"111122223333","host":"test-host",)"
          R"("agent_version":"test","instance":")" +
              store.query("SELECT name FROM instance") + "\"}");
    REQUIRE(problems(store).empty());
    CHECK_THAT(after("UPDATE store SET account_id = '999988887777'"),
               contains_text("says account 999988887777, and event 1 says 111122223333"));
    CHECK_THAT(after("UPDATE store SET account_id = NULL"), contains_text("event 1"));
    CHECK(after("UPDATE store SET account_id = '111122223333'").empty());
    CHECK_THAT(after("UPDATE store SET host = 'another'"),
               contains_text("says host another, and event 1 says test-host"));
    CHECK_THAT(after("UPDATE store SET host = NULL"), contains_text("event 1"));
    CHECK(after("UPDATE store SET host = 'test-host'").empty());
    CHECK_THAT(after("UPDATE store SET agent_version = '9'"), contains_text("event 1"));
    CHECK(after("UPDATE store SET agent_version = 'test'").empty());
    // An event made up in what no segment covers yet.
    CHECK_THAT(after("UPDATE store SET account_id = '999988887777'; INSERT INTO event(at, kind, "
                     "details) VALUES (1, 'account-pinned', "
                     "'{\"account_id\":\"999988887777\"}')"),
               contains_text("it pins account 999988887777"));
    CHECK_THAT(after("UPDATE event SET kind = 'store-created' WHERE id = (SELECT max(id) FROM "
                     "event)"),
               contains_text("birth"));
  }
  SECTION("the name that destinations know it by") {
    fill_valid(store);
    const std::string name = store.query("SELECT name FROM instance");
    CHECK_THAT(after("UPDATE instance SET name = '0123'"),
               contains_text("know it as 0123 (`instance`), and event 1 says as " + name));
    CHECK_THAT(after("DELETE FROM instance"), contains_text("know it as nothing"));
    CHECK_THAT(after("DROP TABLE instance"), contains_text("know it as nothing"));
  }
  SECTION("a birth event of before it told the name") {
    { Writer writer(store.options()); }
    store.tamper(
        "DELETE FROM segment; DELETE FROM chunk; UPDATE event SET details = json_remove(details, "
        "'$.instance')");
    fill_valid(store);
    REQUIRE(problems(store).empty());
    CHECK(after("UPDATE instance SET name = '0123'").empty());
  }
  SECTION("an account that was filled in later") {
    WriterOptions options = store.options();
    options.account_id = "";
    { Writer writer(options); }
    REQUIRE(problems(store).empty());
    CHECK_THAT(after("UPDATE store SET account_id = '111122223333'"),
               contains_text("account 111122223333, and no event says so"));
    store.tamper("UPDATE store SET account_id = NULL");
    fill_valid(store);
    REQUIRE(problems(store).empty());
    CHECK_THAT(after("UPDATE store SET account_id = '999988887777'"),
               contains_text("says account 999988887777, and event"));
  }
  SECTION("a store of before there was such an event") {
    fill_valid(store);
    make_first(store);
    store.tamper(
        "DELETE FROM record; DELETE FROM chunk; DELETE FROM segment; DELETE FROM event; "
        "DELETE FROM label");
    fill_valid(store);
    REQUIRE(problems(store).empty());
    CHECK(after("UPDATE store SET host = 'another'").empty());
  }
  SECTION("its account, too, once an event says which") {
    WriterOptions options = store.options();
    options.account_id = "";
    { Writer writer(options); }
    store.tamper("DELETE FROM segment; DELETE FROM event");
    fill_valid(store);
    REQUIRE(problems(store).empty());
    REQUIRE(store.query("SELECT group_concat(kind) FROM event") == "account-pinned");
    CHECK_THAT(after("UPDATE store SET account_id = '999988887777'"),
               contains_text("and event 1 says 111122223333"));
  }
}

TEST_CASE("An account is pinned together with the event that says so", "[verify]") {
  TemporaryStore store;
  WriterOptions options = store.options();
  options.account_id = "";
  { Writer writer(options); }
  // The event cannot be written: then the account is not either.
  store.tamper(
      "CREATE TRIGGER refuse BEFORE INSERT ON event WHEN NEW.kind = 'account-pinned' "
      "BEGIN SELECT RAISE(FAIL, 'refused'); END");
  CHECK_THROWS_AS(Writer(store.options()), StoreError);
  CHECK(store.query("SELECT account_id IS NULL FROM store") == "1");
}

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
