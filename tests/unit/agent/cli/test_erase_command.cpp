#include "agent/cli/erase_command.h"

#include <fstream>
#include <sstream>

#include "storage/delivery_ledger.h"
#include "storage/store_error.h"
#include "storage/verify.h"
#include "tests/catch.h"
#include "tests/unit/agent/cli/command_answer.h"
#include "tests/unit/agent/cli/example_store.h"

using namespace invlog::cli;
using namespace invlog::tests;

namespace {

CommandAnswer erase(const ExampleStore& store, EraseOptions options) {
  options.store = store.options();
  std::ostringstream out, err;
  const int exit_code = run_erase(options, out, err);
  return {exit_code, out.str(), err.str()};
}

EraseOptions where(const std::string& sql, bool yes = false, bool json = false) {
  EraseOptions options;
  options.scope.where = sql;
  options.yes = yes;
  options.json = json;
  return options;
}

std::string request_of(const ExampleStore& store, std::int64_t id) {
  const auto reader = invlog::storage::Reader::open(store.path());
  return (*reader)->find(id, invlog::storage::Bodies::both)->record.request.bytes;
}

void change(const ExampleStore& store, const std::string& sql) {
  sqlite3* connection = nullptr;
  sqlite3_open(store.path().c_str(), &connection);
  CHECK(sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(connection);
}

std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("erase says what it would do, and changes nothing") {
  const ExampleStore store;
  const std::string before = contents(store.path());
  const CommandAnswer answer = erase(store, where("caller = 'bob'"));
  CHECK(answer.exit_code == 0);
  CHECK(contains(answer.out, "would erase the bodies of 2 records ("));
  CHECK(contains(answer.out, "say --yes if you mean it"));
  CHECK(contains(erase(store, where("caller = 'bob'", false, true)).out,
                 "\"erased\":false,\"records\":2,"));
  CHECK(contains(erase(store, where("false")).out, "would erase the bodies of 0 records"));
  CHECK(contents(store.path()) == before);
}

TEST_CASE("erase --yes erases, says so, and leaves a store that verifies") {
  const ExampleStore store;
  EraseOptions options = where("caller = 'bob'", true);
  options.reason = "request 17";
  const CommandAnswer answer = erase(store, options);
  CHECK(answer.err.empty());
  CHECK(answer.exit_code == 0);
  CHECK(contains(answer.out, "erased the bodies of 2 records ("));
  CHECK(request_of(store, 3).empty());
  CHECK(request_of(store, 4).empty());
  CHECK(!request_of(store, 2).empty());
  const auto report = invlog::storage::verify_store(store.path(), {});
  CHECK(report.problems.empty());
  CHECK(report.erased == 2);
  const CommandAnswer again = erase(store, where("caller = 'bob'", true));
  CHECK(again.exit_code == 0);
  CHECK(contains(again.out, "0 records"));
  CHECK(contains(again.out, "2 records had none any more"));
}

TEST_CASE("erase says which records have request metadata, which stays") {
  const ExampleStore store;
  CHECK(!contains(erase(store, where("id <= 6")).out, "metadata"));
  CHECK(contains(erase(store, where("id <= 6", false, true)).out,
                 "\"request_metadata_records\":[],"));
  store.append("seven", "", R"({"customer":"Jane Doe"})");
  store.append("eight", "", R"({"customer":"Jane Doe"})");
  const std::string told =
      "\n2 of these records have request metadata, which stays: SELECT id, request_metadata FROM "
      "invocations WHERE id IN (7, 8)\n";
  CHECK(contains(erase(store, where("id > 5")).out, told));
  CHECK(contains(erase(store, where("id > 5", false, true)).out,
                 "\"request_metadata_records\":[[7,8]],"));
  CHECK(contains(erase(store, where("id = 8")).out, "\n1 of these records has request metadata"));
  CHECK(contains(erase(store, where("id > 5", true)).out, told));
}

TEST_CASE("erase names the first records with request metadata where there are many") {
  const ExampleStore store;
  for (int i = 0; i < 21; ++i) {
    store.append("call", "", R"({"customer":"Jane Doe"})");
  }
  const std::string out = erase(store, where("true")).out;
  CHECK(contains(out, "\n21 of these records have request metadata, which stays: "));
  CHECK(contains(out, ", 25, 26) shows the first of them; --json has all ids\n"));
}

TEST_CASE("erase takes request ids, and does nothing if one is unknown") {
  const ExampleStore store;
  EraseOptions options;
  options.yes = true;
  options.scope.request_ids = {kSecondRequestId, "unheard-of"};
  CommandAnswer answer = erase(store, options);
  CHECK(answer.exit_code == 1);
  CHECK(contains(answer.err, "there is no record with the request id unheard-of"));
  CHECK(!request_of(store, 2).empty());
  options.scope.request_ids.pop_back();
  answer = erase(store, options);
  CHECK(answer.exit_code == 0);
  CHECK(request_of(store, 2).empty());
}

TEST_CASE("erase refuses what it cannot understand") {
  const ExampleStore store;
  CHECK(erase(store, where("no such thing", true)).exit_code == 2);
  CHECK(erase(store, where("unheard_of = 1")).err ==
        "invlog erase: this is no SQL expression over `invocations`: no such column: unheard_of\n");
  CHECK(erase(store, {}).exit_code == 2);
  for (const char* several : {"false) OR (true", "true; SELECT 1", "true LIMIT 1", "SELECT 1",
                              "1 /*", "true)) --", "false)) OR ((true"}) {
    INFO(several);
    const CommandAnswer answer = erase(store, where(several, true));
    CHECK(answer.exit_code == 2);
    CHECK(contains(answer.err, "this is no SQL expression over `invocations`: "));
  }
  for (const char* parameter : {"?1", "id = ?", "id = :id", "id = @id", "id = $id"}) {
    INFO(parameter);
    const CommandAnswer answer = erase(store, where(parameter, true));
    CHECK(answer.exit_code == 2);
    CHECK(contains(answer.err, "nothing stands for a parameter"));
  }
  CHECK(contains(erase(store, where("(id = 1) OR caller = '?1)' -- (two")).out, "1 record ("));
  EraseOptions both = where("true", true);
  both.scope.request_ids = {kSecondRequestId};
  CHECK(erase(store, both).exit_code == 2);
  CHECK(!request_of(store, 2).empty());
}

TEST_CASE("erase leaves a damaged segment as it is, and erases from the others") {
  const ExampleStore store;
  store.append("seven");
  store.append("eight");
  change(store, "UPDATE record SET output_tokens = 99 WHERE id = 7");
  const CommandAnswer answer = erase(store, where("id IN (2, 7, 8)", true));
  CHECK(answer.exit_code == 1);
  CHECK(contains(answer.err, "segment 2: it was changed after it was closed; nothing was erased"));
  CHECK(contains(answer.err, "nothing was erased from 1 segment\n"));
  CHECK(contains(answer.out, "erased the bodies of 2 records ("));
  CHECK(contains(answer.out, "from 2 segments"));
  CHECK((request_of(store, 2).empty() && request_of(store, 8).empty()));
  CHECK(!request_of(store, 7).empty());
  CHECK(contents(store.path() + "-wal").empty());
  const CommandAnswer again = erase(store, where("id IN (2, 7, 8)", true, true));
  CHECK(again.exit_code == 1);
  CHECK(contains(again.out, "\"records\":0,"));
  CHECK(contains(again.out, "\"failed_segments\":[2]"));
}

TEST_CASE("erase says which records it could not look into, and erases the others that are meant") {
  const ExampleStore store;
  store.append("number seven");
  store.append("number eight");
  store.append("number nine");
  change(store, "UPDATE record SET checksum = checksum + 1 WHERE id IN (7, 9)");
  const std::string meant = "invlog_contains(id, 'number') AND id > 1";
  const CommandAnswer asked = erase(store, where(meant));
  CHECK(asked.exit_code == 1);
  CHECK(contains(asked.out, "would erase the bodies of 1 record ("));
  CHECK(contains(asked.out, "; 2 records could not be looked into\n"));
  const CommandAnswer answer = erase(store, where(meant, true));
  CHECK(answer.exit_code == 1);
  CHECK(contains(answer.out, "erased the bodies of 1 record ("));
  CHECK(contains(answer.out, "; 2 records could not be looked into\n"));
  CHECK(contains(answer.err, "2 records could not be looked into"));
  CHECK(contains(answer.err, "ids [[7,7],[9,9]]"));
  CHECK(contains(answer.err, "record 7: its bodies in segment 2 do not match its checksum"));
  CHECK(request_of(store, 8).empty());
  const CommandAnswer again = erase(store, where(meant, true, true));
  CHECK(again.exit_code == 1);
  CHECK(contains(again.out, R"("records":0,)"));
  CHECK(contains(again.out, R"("unjudged_records":[[7,7],[9,9]])"));
  // A condition that fails for each record is at fault itself.
  CHECK_THROWS_AS(erase(store, where("invlog_contains(id, '')", true)),
                  invlog::storage::StoreError);
  CHECK_THROWS_AS(erase(store, where("id IN (SELECT id FROM invocations WHERE "
                                     "invlog_contains(id, 'number'))",
                                     true)),
                  invlog::storage::StoreError);
}

TEST_CASE("erase does not leave out records in front of the first segment") {
  const ExampleStore store;
  store.append("number seven");
  store.append("number eight");
  change(store, "DELETE FROM segment WHERE id = 1");
  const CommandAnswer answer = erase(store, where("invlog_contains(id, 'eight')", true));
  CHECK(answer.exit_code == 1);
  CHECK(contains(answer.out, "erased the bodies of 1 record ("));
  CHECK(contains(answer.out, "; 6 records could not be looked into\n"));
  CHECK(contains(answer.err, "record 1 belongs to no segment"));
}

TEST_CASE("erase ends at a row with the last number there is") {
  const ExampleStore store;
  store.append("number seven");
  store.append("number eight");
  change(store, "UPDATE record SET id = 9223372036854775807 WHERE id = 8");
  const CommandAnswer asked = erase(store, where("invlog_contains(id, 'number')"));
  CHECK(asked.exit_code == 1);
  CHECK(contains(asked.out, "would erase the bodies of 1 record ("));
  CHECK(contains(asked.out, "; 1 record could not be looked into\n"));
}

TEST_CASE("erase names what has left the host already") {
  const ExampleStore store;
  {
    const auto ledger = invlog::storage::DeliveryLedger::open(store.path());
    invlog::storage::DeliveryLedger::Delivered delivered;
    delivered.last = 3;
    delivered.target = "s3://records-eu";
    delivered.objects = {{"s3://records-eu/one.json.gz", 1, 2},
                         {"s3://records-eu/two.json.gz", 3, 3}};
    (*ledger)->advance("s3", delivered);
    delivered.last = 6;
    delivered.target = "/invlog/records stream";
    delivered.objects.clear();
    delivered.refused.resize(1);
    delivered.refused[0].record = 3;
    (*ledger)->advance("cloudwatch_logs", delivered);
  }
  const CommandAnswer answer = erase(store, where("caller = 'bob'", true));  // 3 and 4
  CHECK(contains(answer.out, "s3 (s3://records-eu)"));
  CHECK(contains(answer.out, "s3://records-eu/two.json.gz\n"));
  CHECK(!contains(answer.out, "one.json.gz"));
  CHECK(contains(answer.out, "cloudwatch_logs (/invlog/records stream)"));
  CHECK(contains(answer.out, ": ids [[4,4]]"));
  CHECK(contains(answer.out, "1 record, from 2026-10-06T09:00:00Z to 2026-10-06T09:00:00Z"));
  const CommandAnswer json = erase(store, where("id = 2", false, true));
  CHECK(contains(json.out, "\"destination\":\"s3\",\"target\":\"s3://records-eu\",\"records\":1,"));
  CHECK(contains(json.out, "\"places\":[\"s3://records-eu/one.json.gz\"]"));
}

TEST_CASE("erase does not call shipped what was refused and is only to be tried again") {
  const ExampleStore store;
  {
    const auto ledger = invlog::storage::DeliveryLedger::open(store.path());
    invlog::storage::DeliveryLedger::Delivered delivered;
    delivered.last = 3;
    delivered.target = "/invlog/records stream";
    delivered.refused.resize(1);
    delivered.refused[0].record = 3;
    (*ledger)->advance("cloudwatch_logs", delivered);
    (*ledger)->retry_dead_letters({(*ledger)->dead_letters().front().id});
  }
  const CommandAnswer refused = erase(store, where("id = 3"));
  CHECK(contains(refused.out, "Possibly shipped to cloudwatch_logs"));
  CHECK(contains(refused.out, "is to be tried again, and may have arrived"));
  CHECK(!contains(refused.out, "Shipped already"));
  CHECK(contains(erase(store, where("id IN (2, 3)")).out, "Shipped already to cloudwatch_logs"));
  CHECK(!contains(erase(store, where("id = 2")).out, "may have arrived"));
}
