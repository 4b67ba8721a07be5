#include "agent/cli/delivery_status.h"

#include <sstream>

#include "agent/cli/status_command.h"
#include "tests/catch.h"
#include "tests/unit/agent/config/config_text.h"
#include "tests/unit/agent/delivery/delivery_scene.h"

using namespace invlog::cli;
using namespace invlog::tests;
using invlog::delivery::DestinationDescription;

namespace {

// Ten seconds after the example store's last call, which took 1.5 seconds, ended.
constexpr std::int64_t kNowUs = 1'791'331'212'500'000;
const DestinationDescription kS3{"s3", "s3://records-eu", false};
const DestinationDescription kLogs{"cloudwatch_logs", "/invlog/records", false};

struct Shown {
  std::string text, json;
};

Shown shown(const ExampleStore& store, const std::vector<DestinationDescription>& configured) {
  const auto reader = invlog::storage::Reader::open(store.path());
  REQUIRE(reader);
  const auto destinations = delivery_status(**reader, configured);
  std::ostringstream out;
  print_delivery(destinations, kNowUs, out);
  return {out.str(), delivery_json(destinations, kNowUs)};
}

void deliver(const ExampleStore& store, const char* destination, std::int64_t last,
             std::vector<invlog::storage::DeadLetter> refused = {}) {
  const auto ledger = ledger_of(store);
  ledger->state(destination);
  invlog::storage::DeliveryLedger::Delivered delivered;
  delivered.last = last;
  delivered.records = last;
  delivered.bytes = 2048;
  delivered.target = "s3://former";
  delivered.refused = std::move(refused);
  ledger->advance(destination, delivered);
}

}  // namespace

TEST_CASE("a destination that was never delivered to has the whole store before it") {
  const ExampleStore store;
  const Shown seen = shown(store, {kS3});
  CHECK(contains(seen.text,
                 "s3: s3://records-eu\n  cursor        nothing was delivered yet\n"
                 "  backlog       6 records, "));
  CHECK(contains(seen.json,
                 "\"configured\":true,\"begun\":false,\"cursor\":0,"
                 "\"backlog_records\":6,"));
  CHECK(contains(seen.json, "\"backlog_oldest_at\":\"2026-10-05T14:00:01Z\""));
  CHECK(contains(seen.json, "\"last_success_at\":null,\"last_error\":null"));
  CHECK(contains(shown(store, {{"s3", "s3://records-eu", true}}).text, "backlog       none\n"));
  CHECK(contains(shown(store, {}).text, "none is configured"));
  CHECK(shown(store, {}).json == "[]");
}

TEST_CASE("cursor, backlog with its age, and figures are those of the ledger") {
  const ExampleStore store;
  deliver(store, "s3", 5);
  Shown seen = shown(store, {kS3, kLogs});
  CHECK(contains(seen.text, "  cursor        record 5\n  backlog       1 record, "));
  CHECK(contains(seen.text, "the oldest 10 s old\n"));
  CHECK(contains(seen.text, "  delivered     5 records in 1 batch, 2.0 KiB, 0 retries\n"));
  CHECK(contains(seen.text,
                 "  before        what was delivered went to s3://former and stays there"));
  CHECK(contains(seen.json, "\"earlier_target\":\"s3://former\"}"));
  const Shown same = shown(store, {{"s3", "s3://former", false}});
  CHECK_FALSE(contains(same.text, "before"));
  CHECK(contains(same.json, "\"earlier_target\":null"));
  CHECK(contains(seen.json, "\"cursor\":5,\"backlog_records\":1,"));
  CHECK(contains(seen.json,
                 "\"backlog_age_seconds\":10,\"delivered_records\":5,"
                 "\"delivered_batches\":1,\"delivered_bytes\":2048,\"retries\":0,"));
  // The other one is not ahead for it.
  CHECK(contains(seen.json,
                 "\"destination\":\"cloudwatch_logs\",\"target\":\"/invlog/records\","
                 "\"configured\":true,\"begun\":false,\"cursor\":0,"
                 "\"backlog_records\":6,"));
  deliver(store, "s3", 6);
  CHECK(contains(shown(store, {kS3}).text, "  backlog       none\n"));
}

TEST_CASE("the last error and dead letters are shown, on one line and without control characters") {
  const ExampleStore store;
  invlog::storage::DeadLetter letter;
  letter.record = 1;
  letter.reason = "too old";
  deliver(store, "s3", 1, {letter});
  ledger_of(store)->note_failure("s3", "line\nand \x1b[31mred", true);
  const Shown seen = shown(store, {kS3});
  INFO(seen.text << seen.json);
  CHECK(contains(seen.text, ": line\\nand \\x1B[31mred\n"));
  CHECK(contains(seen.text, ", 1 retry\n"));
  CHECK(contains(seen.text, "  dead letters  1; see `invlog dead-letters list`\n"));
  CHECK(contains(seen.json, "\"last_error\":\"line\\nand \\u001b[31mred\",\"last_error_at\":\""));
  CHECK(contains(seen.json, "\"dead_letters\":1,"));
}

TEST_CASE("a destination that is configured no more is still told of") {
  const ExampleStore store;
  deliver(store, "s3", 3);
  const Shown seen = shown(store, {kLogs});
  CHECK(seen.text.find("cloudwatch_logs: ") < seen.text.find("s3: s3://former"));
  CHECK(contains(seen.text, "(not configured any more, or not here)"));
  CHECK(contains(seen.json, "\"configured\":false,\"begun\":true,\"cursor\":3"));
}

TEST_CASE("status says that a configuration cannot be used, not that none is there") {
  const ExampleStore store;
  StatusOptions options;
  options.store = store.options();
  options.environment = environment_of({});
  options.store.config_file = store.directory().write(
      "c.toml", kRegion + "[exporters.s3]\nbucket = \"records-eu\"\nendpoint = \"http://x\"\n");
  std::ostringstream text, json, err;
  CHECK(run_status(options, text, err) == 0);
  CHECK(contains(text.str(), "configuration   CANNOT BE USED: "));
  CHECK(contains(text.str(), "c.toml:5:12: endpoint: custom endpoints need region_attested"));
  CHECK(!contains(text.str(), "none is configured"));
  options.json = true;
  CHECK(run_status(options, json, err) == 0);
  CHECK(contains(json.str(), "\"configuration_error\":\""));
  CHECK(err.str().empty());
}
