#include "agent/cli/dead_letters_command.h"

#include <sstream>

#include "storage/statement.h"
#include "tests/catch.h"
#include "tests/unit/agent/cli/command_answer.h"
#include "tests/unit/agent/config/config_text.h"
#include "tests/unit/agent/delivery/delivery_scene.h"

using namespace invlog::cli;
using namespace invlog::tests;

namespace {

const std::string kToS3 = "[exporters.s3]\nbucket = \"records-eu\"\n";
const std::string kToLogs = "[exporters.cloudwatch_logs]\nlog_group = \"/invlog/records\"\n";

// The example store with records 2 and 5 refused by CloudWatch Logs, 3 by S3: dead letters 1 to 3.
struct DeadLettersCommandScene {
  DeadLettersCommandScene() {
    const auto ledger = ledger_of(store);
    ledger->state("s3");
    ledger->state("cloudwatch_logs");
    invlog::storage::DeliveryLedger::Delivered delivered;
    delivered.last = 6;
    delivered.records = 4;
    delivered.refused = {refused(2, "too old"), refused(5, "too\nnew")};
    ledger->advance("cloudwatch_logs", delivered);
    delivered.refused = {refused(3, "denied")};
    ledger->advance("s3", delivered);
    configure(kToS3 + kToLogs);
  }
  void configure(const std::string& destinations) const {
    store.directory().write("c.toml", kRegion + destinations);
  }
  static invlog::storage::DeadLetter refused(std::int64_t record, const std::string& reason) {
    invlog::storage::DeadLetter letter;
    letter.record = record;
    letter.reason = reason;
    return letter;
  }

  template <typename Options, typename Command>
  CommandAnswer run(Command command, Options options) const {
    options.store = store.options();
    options.store.config_file = store.directory().path() + "/c.toml";
    std::ostringstream out, err;
    const int exit_code = command(options, out, err);
    return {exit_code, out.str(), err.str()};
  }
  CommandAnswer list(const std::string& destination = "", bool json = false) const {
    DeadLettersListOptions options;
    options.destination = destination;
    options.json = json;
    return run(run_dead_letters_list, options);
  }
  CommandAnswer show(std::int64_t id, bool json = false) const {
    DeadLettersShowOptions options;
    options.id = id;
    options.json = json;
    return run(run_dead_letters_show, options);
  }
  template <typename Command>
  CommandAnswer change(Command command, DeadLetterChoice choice, bool yes = false) const {
    DeadLettersChangeOptions options;
    options.choice = std::move(choice);
    options.yes = yes;
    options.environment = environment_of({});
    return run(command, options);
  }

  const ExampleStore store;
};

DeadLetterChoice all_of(const std::string& destination = "") {
  return {{}, true, destination};
}

}  // namespace

TEST_CASE("dead letters are listed with their record and reason") {
  const DeadLettersCommandScene scene;
  const CommandAnswer answer = scene.list();
  CHECK(answer.exit_code == 0);
  CHECK(contains(answer.out, "too old"));
  CHECK(contains(answer.out, "too\\nnew"));  // on one line
  CHECK(contains(answer.out, "claude"));
  CHECK(!contains(scene.list("s3").out, "too old"));
  CHECK(contains(scene.list("s3").out, "denied"));
  const std::string json = scene.list("cloudwatch_logs", true).out;
  CHECK(contains(json, "{\"id\":1,\"destination\":\"cloudwatch_logs\",\"record\":2,\"at\":\""));
  CHECK(contains(json, "\"reason\":\"too old\",\"retry\":false,\"started_at\":"));
  CHECK(std::count(json.begin(), json.end(), '\n') == 2);
}

TEST_CASE("a store without dead letters is no failure") {
  const ExampleStore store;
  DeadLettersListOptions options;
  options.store = store.options();
  std::ostringstream out, err;
  CHECK(run_dead_letters_list(options, out, err) == 0);
  CHECK(out.str().empty());
  CHECK(err.str() == "invlog dead-letters: there is none\n");
}

TEST_CASE("a dead letter is shown with what can be done about it") {
  const DeadLettersCommandScene scene;
  const CommandAnswer answer = scene.show(1);
  CHECK(answer.exit_code == 0);
  CHECK(contains(answer.out, "reason          too old\n"));
  CHECK(contains(answer.out, kSecondRequestId));
  CHECK(contains(answer.out, "invlog dead-letters retry 1\n"));
  CHECK(contains(answer.out, "invlog show 2 --record\n"));
  CHECK(contains(scene.show(1, true).out, "\"model\":\"nova\""));
  const CommandAnswer none = scene.show(99);
  CHECK(none.exit_code == 1);
  CHECK(contains(none.err, "there is no dead letter 99; `invlog dead-letters list` shows them"));
}

TEST_CASE("retry marks dead letters for another attempt") {
  const DeadLettersCommandScene scene;
  const CommandAnswer answer = scene.change(run_dead_letters_retry, {{1, 1}, false, ""});
  CHECK(answer.exit_code == 0);
  CHECK(contains(answer.out, "1 dead letter marked for another attempt"));
  CHECK(answer.err.empty());
  const auto ledger = ledger_of(scene.store);
  CHECK(ledger->requested_retries("cloudwatch_logs", 10).size() == 1);
  CHECK(contains(scene.show(1).out, "to be retried by the agent"));
  CHECK(contains(scene.change(run_dead_letters_retry, all_of("cloudwatch_logs")).out,
                 "2 dead letters marked"));
  CHECK(ledger->requested_retries("cloudwatch_logs", 10).size() == 2);
  CHECK(ledger->requested_retries("s3", 10).empty());
}

TEST_CASE("retry promises no attempt at letters of a destination that is not configured") {
  const DeadLettersCommandScene scene;
  scene.configure(kToS3);
  CommandAnswer answer = scene.change(run_dead_letters_retry, all_of());
  CHECK(answer.exit_code == 0);
  CHECK(contains(answer.out, "1 dead letter marked for another attempt"));
  CHECK(contains(answer.err, "of cloudwatch_logs, which is not configured"));
  CHECK(contains(answer.err, "2 dead letters (1, 2)"));
  CHECK(!contains(answer.err, "of s3"));

  scene.configure("");
  answer = scene.change(run_dead_letters_retry, {{3}, false, ""});
  CHECK(answer.exit_code == 1);
  CHECK(answer.out.empty());
  CHECK(contains(answer.err, "of s3, which is not configured"));
  CHECK(contains(answer.err, "1 dead letter (3)"));
  // They wait for the destination to come back.
  CHECK(ledger_of(scene.store)->requested_retries("cloudwatch_logs", 10).size() == 2);

  scene.configure("[exporters.s3]\nbuket = \"records-eu\"\n");
  answer = scene.change(run_dead_letters_retry, {{3}, false, ""});
  CHECK(answer.exit_code == 0);
  CHECK(contains(answer.err, "is not known: "));
  CHECK(contains(answer.err, "buket"));
}

TEST_CASE("drop gives dead letters up, with an event, and keeps their records") {
  const DeadLettersCommandScene scene;
  const CommandAnswer answer = scene.change(run_dead_letters_drop, {{2, 3}, false, ""});
  CHECK(answer.exit_code == 0);
  CHECK(contains(answer.out, "2 dead letters dropped"));
  CHECK(ledger_of(scene.store)->dead_letters().size() == 1);
  const auto reader = invlog::storage::Reader::open(scene.store.path());
  CHECK((*reader)->find(5, invlog::storage::Bodies::none));
  invlog::storage::Statement events((*reader)->connection(),
                                    "SELECT count(*) FROM event WHERE kind LIKE '%drop%'");
  events.step();
  CHECK(events.integer(0) > 0);
}

TEST_CASE("drop asks for --yes before it gives up all") {
  const DeadLettersCommandScene scene;
  CommandAnswer answer = scene.change(run_dead_letters_drop, all_of());
  CHECK(answer.exit_code == 2);
  CHECK(contains(answer.err, "--yes"));
  CHECK(ledger_of(scene.store)->dead_letters().size() == 3);
  answer = scene.change(run_dead_letters_drop, all_of("s3"), true);
  CHECK(answer.exit_code == 0);
  CHECK(ledger_of(scene.store)->dead_letters().size() == 2);
  answer = scene.change(run_dead_letters_drop, all_of("s3"), true);
  CHECK(answer.exit_code == 0);
  CHECK(answer.err == "invlog dead-letters: there is none of destination s3\n");
}

TEST_CASE("a number that is wrong changes nothing at all") {
  const DeadLettersCommandScene scene;
  for (const auto command : {run_dead_letters_retry, run_dead_letters_drop}) {
    const CommandAnswer answer = scene.change(command, {{1, 99}, false, ""});
    CHECK(answer.exit_code == 1);
    CHECK(contains(answer.err, "there is no dead letter 99"));
    CHECK(scene.change(command, {}).exit_code == 2);
    CHECK(scene.change(command, {{1}, true, ""}).exit_code == 2);
    CHECK(scene.change(command, {{1}, false, "s3"}).exit_code == 2);
  }
  const auto ledger = ledger_of(scene.store);
  CHECK(ledger->dead_letters().size() == 3);
  CHECK(ledger->requested_retries("cloudwatch_logs", 10).empty());
}
