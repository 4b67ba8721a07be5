#include "storage/host_history.h"

#include <memory>
#include <string>
#include <vector>

#include "storage/reader.h"
#include "storage/statement.h"
#include "storage/verify.h"
#include "storage/writer.h"
#include "tests/catch.h"
#include "tests/contains.h"
#include "tests/unit/storage/temporary_store.h"

using namespace invlog::storage;
using invlog::tests::contains;

namespace {

// An agent's life on a host of this name.
void record_as(const TemporaryStore& store, const std::string& host, int records) {
  WriterOptions options = store.options();
  options.host = host;
  Writer writer(options);
  for (int number = 0; number < records; ++number) {
    REQUIRE(submit_and_wait(writer, record_with("{}", "{}")));
  }
}

std::unique_ptr<Reader> reader_of(const TemporaryStore& store) {
  auto reader = Reader::open(store.path());
  REQUIRE(reader);
  return std::move(*reader);
}

std::vector<std::string> hosts(Reader& reader) {
  std::vector<std::string> all;
  reader.each(1, Bodies::both, [&](StoredRecord& stored) {
    all.push_back(stored.host);
    return true;
  });
  return all;
}

std::string findings(const TemporaryStore& store) {
  std::string all;
  for (const VerifyProblem& problem : verify_store(store.path(), {}).problems) {
    all += problem.where + ": " + problem.what + "\n";
  }
  return all;
}

std::string told_changes(const TemporaryStore& store) {
  return store.query(
      "SELECT coalesce(group_concat(details, ' '), '') FROM event WHERE kind = 'host-changed'");
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("A record says the host that it was made on, whatever the store's is by now") {
  TemporaryStore store;
  record_as(store, "image-builder", 2);
  CHECK(store.query("SELECT count(*) FROM sqlite_schema WHERE name = 'host_change'") == "0");
  const auto since_before = reader_of(store);
  CHECK(since_before->information().host == "image-builder");
  CHECK(hosts(*since_before) == Names{"image-builder", "image-builder"});

  record_as(store, "web-17", 1);
  record_as(store, "web-17", 1);  // which is no change
  record_as(store, "image-builder", 1);
  const Names all = {"image-builder", "image-builder", "web-17", "web-17", "image-builder"};
  CHECK(told_changes(store) == R"({"from":"image-builder","to":"web-17","first_record":3})"
                               R"( {"from":"web-17","to":"image-builder","first_record":5})");
  CHECK(findings(store).empty());
  const auto since_after = reader_of(store);
  for (Reader* reader : {since_before.get(), since_after.get()}) {
    CHECK(hosts(*reader) == all);
    // In no order.
    CHECK(reader->find(4, Bodies::none)->host == "web-17");
    CHECK(reader->find(1, Bodies::none)->host == "image-builder");
    CHECK(reader->find(5, Bodies::none)->host == "image-builder");
    CHECK(reader->find(3, Bodies::none)->host == "web-17");
    const std::string line = record_json(reader->information(), *reader->find(3, Bodies::both));
    CHECK(contains(line, R"("host":"web-17")"));
  }
  Statement in_sql(since_before->connection(),
                   "SELECT group_concat(invlog_record(id) ->> '$.invlog.host', ' ') FROM (SELECT "
                   "id FROM record ORDER BY id)");
  const std::vector<HostChange> changes = host_changes(since_after->connection());
  REQUIRE(changes.size() == 2);
  CHECK(changes[1].first_record == 5);
  CHECK(changes[1].from == "web-17");
  CHECK(changes[1].to == "image-builder");
  CHECK(std::to_string(changes[1].at_us) == store.query("SELECT at FROM event WHERE details ->> "
                                                        "'$.first_record' = 5"));
  REQUIRE(in_sql.step());
  CHECK(in_sql.bytes(0) == "image-builder image-builder web-17 web-17 image-builder");
}

TEST_CASE("A change of host that no record saw is taken back by the next") {
  TemporaryStore store;
  record_as(store, "image-builder", 1);
  record_as(store, "web-17", 0);
  CHECK(reader_of(store)->information().host == "web-17");
  record_as(store, "web-18", 1);
  CHECK(hosts(*reader_of(store)) == Names{"image-builder", "web-18"});
  CHECK(store.query("SELECT count(*) FROM event WHERE kind = 'host-changed'") == "2");
  CHECK(store.query("SELECT count(*) FROM host_change") == "1");
  CHECK(findings(store).empty());
}

TEST_CASE("A writer that does not know its host changes nothing") {
  TemporaryStore store;
  record_as(store, "image-builder", 1);
  record_as(store, "", 1);  // as an eraser's
  CHECK(hosts(*reader_of(store)) == Names{"image-builder", "image-builder"});
  CHECK(told_changes(store).empty());
}

TEST_CASE("A host that was not known at the store's birth is told when it is") {
  TemporaryStore store;
  record_as(store, "", 1);
  CHECK(reader_of(store)->information().host.empty());
  record_as(store, "web-17", 1);
  CHECK(hosts(*reader_of(store)) == Names{"", "web-17"});
  CHECK(told_changes(store) == R"({"to":"web-17","first_record":2})");
  CHECK(findings(store).empty());
}

TEST_CASE("A call that was interrupted is of the host it was made on") {
  TemporaryStore store;
  WriterOptions options = store.options();
  options.host = "image-builder";
  {
    Writer writer(options);
    REQUIRE(submit_intent_and_wait(writer, record_with("{}", "")) != 0);
  }
  record_as(store, "web-17", 1);
  const auto reader = reader_of(store);
  REQUIRE(reader->find(1, Bodies::none)->record.outcome == "interrupted");
  CHECK(hosts(*reader) == Names{"image-builder", "web-17"});
}

TEST_CASE("A reader goes on with the next host of a store that it has open") {
  TemporaryStore store;
  record_as(store, "image-builder", 1);
  record_as(store, "web-17", 1);
  const auto reader = reader_of(store);
  REQUIRE(hosts(*reader) == Names{"image-builder", "web-17"});
  record_as(store, "web-18", 1);
  CHECK(reader->find(3, Bodies::none)->host == "web-18");
  CHECK(reader->information().host == "web-18");
}

TEST_CASE("Rows of host_change must say what events say", "[verify]") {
  TemporaryStore store;
  record_as(store, "image-builder", 1);
  record_as(store, "web-17", 1);
  REQUIRE(findings(store).empty());
  SECTION("another host") {
    store.tamper("UPDATE host_change SET host = 'web-18'");
    CHECK(contains(findings(store),
                   "`host_change` says host web-18 from record 2 on, and event 2 says web-17"));
  }
  SECTION("another record") {
    store.tamper("UPDATE host_change SET first_record = 1");
    CHECK(contains(findings(store), "says host web-17 from record 1 on, and no event says so"));
    CHECK(contains(findings(store), "says host nothing from record 2 on, and event 2"));
  }
  SECTION("no row") {
    store.tamper("DELETE FROM host_change");
    CHECK(contains(findings(store), "says host nothing from record 2 on, and event 2"));
  }
  SECTION("no table") {
    store.tamper("DROP TABLE host_change");
    CHECK(contains(findings(store), "says host nothing from record 2 on, and event 2"));
  }
  SECTION("an event that says nothing") {
    store.tamper(
        "INSERT INTO event(at, kind, details) VALUES (1, 'host-changed', '{\"to\":\"x\"}')");
    CHECK(contains(findings(store), "tells of another host, but not which"));
  }
}
