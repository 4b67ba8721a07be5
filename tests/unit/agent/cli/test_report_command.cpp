#include "agent/cli/report_command.h"

#include <simdjson.h>
#include <sqlite3.h>
#include <pugixml.hpp>

#include <fstream>
#include <sstream>

#include "agent/cli/erase_command.h"
#include "agent/residency/flow_picture.h"
#include "agent/residency/report_html.h"
#include "agent/residency/report_markdown.h"
#include "storage/schema.h"
#include "storage/store.h"
#include "tests/catch.h"
#include "tests/unit/agent/cli/example_store.h"

using namespace invlog::cli;
using namespace invlog::residency;
using invlog::tests::contains;
using invlog::tests::ExampleStore;

namespace {

constexpr std::int64_t kSecond = 1'000'000, kDay = 86'400 * kSecond;
constexpr std::int64_t kFifth = 1'791'158'400 * kSecond;  // 2026-10-05T00:00:00Z

void change(const ExampleStore& store, const std::string& sql) {
  sqlite3* connection = nullptr;
  REQUIRE(sqlite3_open(store.path().c_str(), &connection) == SQLITE_OK);
  INFO(sql);
  const int result = sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr);
  const std::string message = sqlite3_errmsg(connection);
  sqlite3_close(connection);
  INFO(message);
  REQUIRE(result == SQLITE_OK);
}

constexpr const char* kHostile = "<script>alert('x')</script>|`*&";

// Profiles, scopes and decisions for the six calls; 4 stays unknown.
void add_residency(const ExampleStore& store) {
  std::string sql =
      "INSERT OR IGNORE INTO label(text) VALUES ('eu.nova'), ('global.claude'), "
      "('geographic'), ('global'), ('in-region'), ('allow'), ('deny'), ('flag'), ('denied'), "
      "('eu-central-1,eu-west-1'), ('*'), ('eu-central-1'), ('=cmd()'), ('";
  for (const char* at = kHostile; *at != '\0'; ++at) {
    sql += *at == '\'' ? std::string("''") : std::string(1, *at);
  }
  sql += "');";
  const auto set = [&sql](const char* ids, const char* column, const std::string& text) {
    sql += std::string("UPDATE record SET ") + column + " = (SELECT id FROM label WHERE text = '" +
           text + "') WHERE id IN (" + ids + ");";
  };
  set("1,2,6", "profile", "eu.nova");
  set("1,2,6", "scope", "geographic");
  set("1,2,6", "destinations", "eu-central-1,eu-west-1");
  set("3", "profile", "global.claude");
  set("3", "scope", "global");
  set("3", "destinations", "*");
  set("3", "decision", "deny");
  set("3", "outcome", "denied");
  set("5", "scope", "in-region");
  set("5", "destinations", "eu-central-1");
  set("6", "decision", "flag");
  set("6", "caller", "=cmd()");
  sql +=
      "UPDATE record SET details = '{\"rule\":\"deny = \\\"global\\\"\"}' WHERE id = 3;"
      "UPDATE record SET details = 'no JSON' WHERE id = 6;"
      "UPDATE record SET model = (SELECT max(id) FROM label) WHERE id = 4;";
  change(store, sql);
}

void add_trail(const ExampleStore& store) {
  const auto at = [](std::int64_t day) { return std::to_string(kFifth + day * kDay); };
  change(store,
         "INSERT INTO trail VALUES (1, 'eu-west-1', 1, 'e1', 0), (2, 'us-east-1', 1, 'e2', 1);"
         "INSERT INTO reconciliation VALUES (1, " +
             at(3) + ", 'lookup', " + at(-5) + ", " + at(1) + ", 9, 8, 1, 0, 1), (2, " + at(3) +
             ", 'trail.json', " + at(1) + ", " + at(2) +
             ", 1, 0, 1, 2, 0);"
             "UPDATE record SET request_id = 'r4' WHERE id IN (3, 4);"
             "INSERT INTO unseen_call VALUES ('u1', " +
             at(1) + ", 'x', 'Converse', 'nova', 'arn:role', '10.0.0.1', '', ''), ('u2', " + at(9) +
             ", 'x', 'Converse', 'nova', 'arn:role', '10.0.0.1', '', '');"
             "INSERT INTO event(at, kind, count, details) VALUES (" +
             at(1) + ", 'erased', 3, '{\"reason\":\"ticket 7\"}'), (" + at(1) +
             ", 'calls-unseen', 1, '{}'), (" + at(9) + ", 'erased', 5, '{}');");
}

// 2026-10-05 to 2026-10-08: all six calls.
ReportOptions options_of(const ExampleStore& store, ReportFormat format) {
  ReportOptions options;
  options.store = store.options();
  options.format = format;
  options.from_us = kFifth;
  options.until_us = kFifth + 3 * kDay;
  options.now_us = kFifth + 10 * kDay;
  return options;
}

std::string report_text(const ReportOptions& options, int exit_code = 0) {
  std::ostringstream out, err;
  CHECK(run_report(options, out, err) == exit_code);
  return out.str();
}

Report gathered(const ExampleStore& store) {
  auto reader = invlog::storage::Reader::open(store.path());
  REQUIRE(reader);
  Report report = gather_report(**reader, {kFifth, kFifth + 3 * kDay}, {});
  report.version = "test";
  report.made_at_us = kFifth + 10 * kDay;
  return report;
}

pugi::xml_document parsed(const std::string& markup) {
  pugi::xml_document document;
  const auto result =
      document.load_string(markup.c_str(), pugi::parse_default | pugi::parse_doctype);
  INFO(result.description() << " at " << result.offset << ": "
                            << markup.substr(static_cast<std::size_t>(result.offset), 80));
  CHECK(result.status == pugi::status_ok);
  return document;
}

std::int64_t calls_of(const pugi::xml_document& document, const std::string& path) {
  std::int64_t calls = 0;
  for (const auto& found : document.select_nodes(path.c_str())) {
    calls += found.node().attribute("data-calls").as_llong();
  }
  return calls;
}

}  // namespace

TEST_CASE("report: records are added up by all that they are grouped by") {
  const ExampleStore store;
  add_residency(store);
  add_trail(store);
  const Report report = gathered(store);
  CHECK(report.records_in_store == 6);
  CHECK(report.total == Volume{6, 2, 5000, 50, 500, 50});
  Volume usage, flows, days;
  for (const UsageRow& row : report.usage) {
    usage.add(row.volume);
  }
  for (const FlowRow& row : report.flows) {
    flows.add(row.volume);
  }
  std::vector<std::int64_t> calls;
  for (const DayRow& row : report.days) {
    days.add(row.volume);
    calls.push_back(row.volume.calls);
    std::int64_t by_scope = 0;
    for (const std::int64_t number : row.calls_by_scope) {
      by_scope += number;
    }
    CHECK(by_scope == row.volume.calls);
  }
  CHECK(usage == report.total);
  CHECK(flows == report.total);
  CHECK(days == report.total);
  CHECK(calls == std::vector<std::int64_t>{2, 2, 2});
  CHECK(report.usage.front().model == "nova");
  CHECK(report.usage.front().caller == "alice");
  CHECK(report.usage.front().volume == Volume{2, 0, 2000, 20, 500, 50});

  REQUIRE(report.decisions.size() == 2);
  CHECK(report.decisions[0].decision == "deny");
  CHECK(report.decisions[0].rule == "deny = \"global\"");
  CHECK(report.decisions[0].caller == "bob");
  CHECK(report.decisions[0].first_us == report.decisions[0].last_us);
  CHECK(report.decisions[1].decision == "flag");
  CHECK(report.decisions[1].rule.empty());
  CHECK(report.calls_with_decision("deny") == 1);
}

TEST_CASE("report: an erasure takes neither that a call never left, nor its rule") {
  const ExampleStore store;
  {
    invlog::storage::WriterOptions options;
    options.path = store.path();
    options.region = "eu-central-1";
    options.clock = [] { return kFifth; };
    invlog::storage::Store written(options);
    invlog::storage::Record record;
    record.started_at_us = kFifth + kSecond;
    record.outcome = "client-closed";
    record.decision = "flag";
    record.details = R"({"error":"what was said","sent":false,"rule":"unknown = \"flag\""})";
    written.add(record);
    written.commit();
    written.close();
  }
  EraseOptions everything;
  everything.store = store.options();
  everything.scope.where = "true";
  everything.yes = true;
  std::ostringstream out, err;
  REQUIRE(run_erase(everything, out, err) == 0);
  const Report report = gathered(store);
  std::int64_t not_sent = 0;
  for (const FlowRow& row : report.flows) {
    not_sent += row.not_sent ? row.volume.calls : 0;
  }
  CHECK(not_sent == 1);
  REQUIRE(report.decisions.size() == 1);
  CHECK(report.decisions[0].rule == "unknown = \"flag\"");
}

TEST_CASE("report: a call that never left is not said to have gone anywhere") {
  const ExampleStore store;
  add_residency(store);  // 3 was denied by the policy
  change(store,
         "INSERT INTO label(text) VALUES ('error'), ('interrupted');"
         // For want of credentials, by no policy.
         "UPDATE record SET status = 403, outcome = (SELECT id FROM label WHERE text = 'denied'), "
         "decision = (SELECT id FROM label WHERE text = 'allow') WHERE id = 1;"
         // Too large: refused before anybody asked where it may go.
         "UPDATE record SET status = 413, outcome = (SELECT id FROM label WHERE text = 'error'), "
         "scope = NULL, destinations = NULL WHERE id = 5;"
         // Its client left before the request was whole.
         "UPDATE record SET status = NULL, flags = flags | 8 WHERE id = 4;");
  const auto calls_not_sent = [](const Report& report) {
    std::int64_t by_flow = 0, by_day = 0;
    for (const FlowRow& row : report.flows) {
      by_flow += row.not_sent ? row.volume.calls : 0;
    }
    for (const DayRow& row : report.days) {
      by_day += row.calls_by_scope[static_cast<std::size_t>(ScopeIndex::not_sent)];
    }
    CHECK(by_flow == by_day);
    return by_flow;
  };
  const Report report = gathered(store);
  CHECK(calls_not_sent(report) == 4);
  CHECK(report.calls_with_decision("deny") == 1);
  std::int64_t drawn = 0;
  const FlowGraph graph = flow_graph(report);
  for (const FlowNode& node : graph.columns[2]) {
    drawn += node.name == "not sent" ? node.calls : 0;
  }
  CHECK(drawn == 4);
  const std::string text = report_text(options_of(store, ReportFormat::markdown));
  CHECK(contains(text, "0 in-region, 2 geographic, 0 global, 0 unknown, 4 not sent"));
  CHECK_FALSE(contains(text, "| unknown | not known |"));
  const std::string json = report_text(options_of(store, ReportFormat::json));
  CHECK(contains(json, R"("processed_in":null,"sent":false)"));
  CHECK(contains(json, R"("unknown":0,"not-sent":2})"));
  ReportOptions csv = options_of(store, ReportFormat::csv);
  csv.table = CsvTable::destinations;
  CHECK(contains(report_text(csv), "eu.nova,geographic,\"eu-central-1,eu-west-1\",,false,0,1,1,"));

  // What is not known to have stayed here may have gone: cut on its way, or judged.
  change(store, "UPDATE record SET flags = flags & ~8 WHERE id = 4;");
  CHECK(calls_not_sent(gathered(store)) == 3);
  change(store,
         "UPDATE record SET flags = flags | 8, decision = (SELECT id FROM label WHERE text = "
         "'allow') WHERE id = 4;");
  CHECK(calls_not_sent(gathered(store)) == 3);
  // What CloudTrail knows did go.
  change(store, "INSERT INTO trail VALUES (1, 'eu-west-1', 1, 'e1', 0)");
  CHECK(calls_not_sent(gathered(store)) == 2);
}

TEST_CASE("report: what a record says of whether it was sent counts") {
  const ExampleStore store;
  add_residency(store);
  // 1: judged and then its upstream refused the connection; 2 and 6: no word of it, and a damaged
  // one.
  change(store,
         "INSERT INTO label(text) VALUES ('upstream-closed');"
         "UPDATE record SET status = 502, details = '{\"error\":\"x\",\"sent\":false}', outcome = "
         "(SELECT id FROM label WHERE text = 'upstream-closed'), decision = (SELECT id FROM label "
         "WHERE text = 'allow') WHERE id = 1;"
         "UPDATE record SET status = 502, details = '{\"error\":\"x\"}', outcome = (SELECT id FROM "
         "label WHERE text = 'upstream-closed') WHERE id = 2;"
         "UPDATE record SET outcome = (SELECT id FROM label WHERE text = 'upstream-closed') "
         "WHERE id = 6;");
  std::int64_t not_sent = 0;
  for (const FlowRow& row : gathered(store).flows) {
    not_sent += row.not_sent ? row.volume.calls : 0;
  }
  CHECK(not_sent == 2);  // with 3, which was denied
}

TEST_CASE("report: denials that are no records are not passed over") {
  const ExampleStore store;
  CHECK(contains(report_text(options_of(store, ReportFormat::markdown)),
                 "No recorded call of the period was denied or flagged."));
  change(store, "INSERT INTO event(at, kind, details) VALUES (" + std::to_string(kFifth + kDay) +
                    ", 'policy-denied', '{}')");
  const std::string text = report_text(options_of(store, ReportFormat::markdown));
  CHECK(contains(text, "0 denied, 0 flagged, and denials of calls that become no record"));
  CHECK(contains(text, "were denied too: for 1 reason, each"));
}

TEST_CASE("report: coverage is what was compared, and says what was not") {
  const ExampleStore store;
  add_residency(store);
  add_trail(store);
  const Report report = gathered(store);
  const Coverage& coverage = report.coverage;
  CHECK(coverage.covered == std::vector<Period>{{kFifth, kFifth + 2 * kDay}});
  CHECK(coverage.gaps == std::vector<Period>{{kFifth + 2 * kDay, kFifth + 3 * kDay}});
  CHECK(coverage.with_event == 2);
  CHECK(coverage.outside == 1);
  CHECK(coverage.without_event == 1);  // 4; 3 was denied and never left
  CHECK(coverage.none_expected == 1);
  CHECK(coverage.not_compared == 2);
  CHECK(coverage.unseen_calls == 1);  // the other is later
  REQUIRE(report.alarms.size() == 1);
  CHECK(report.alarms[0].kind == "calls-unseen");
  REQUIRE(report.removals.size() == 1);
  CHECK(report.removals[0].records == 3);
  CHECK(report.removals[0].details == "ticket 7");

  // What CloudTrail may not have told of yet, or never tells of, is not missed, as in reconcile.
  change(store, "UPDATE reconciliation SET until = " +
                    std::to_string(kFifth + kDay + 10 * 3'600'000'000) + " WHERE id = 2");
  CHECK(gathered(store).coverage.without_event == 0);
  CHECK(gathered(store).coverage.not_yet == 1);
  change(store,
         "UPDATE record SET operation = (SELECT id FROM label WHERE text = 'nova') WHERE id = 4");
  CHECK(gathered(store).coverage.not_yet == 0);
  change(store, "UPDATE reconciliation SET until = " + std::to_string(kFifth + 2 * kDay) +
                    " WHERE id = 2");
  CHECK(gathered(store).coverage.without_event == 0);

  const std::string text = report_text(options_of(store, ReportFormat::markdown));
  CHECK(contains(text, "1 call went past the agent"));
  CHECK(contains(text, "us-east-1 (1 not allowed)"));
  CHECK_FALSE(contains(text, "Not compared: the records"));
  const ExampleStore alone;
  const std::string nothing = report_text(options_of(alone, ReportFormat::markdown));
  CHECK(contains(nothing, "- CloudTrail: **not compared**"));
  CHECK(contains(nothing, "Not compared: the records of this period were not compared"));
}

namespace {

// Of three days with a record and a denial each, retention has taken the first two.
class ShrunkStore {
 public:
  explicit ShrunkStore(std::vector<std::string> destinations = {}) {
    std::int64_t now = kFifth;
    invlog::storage::WriterOptions options;
    options.path = path();
    options.region = "eu-central-1";
    options.clock = [&now] { return now; };
    options.retention.max_age = std::chrono::hours(1);
    options.retention.keep_undelivered = false;
    options.retention.destinations = std::move(destinations);
    invlog::storage::Store store(options);
    for (std::int64_t day = 0; day < 3; ++day) {
      now = kFifth + day * kDay;
      invlog::storage::Record record;
      record.started_at_us = now + kSecond;
      record.outcome = "complete";
      store.add(std::move(record));
      store.add_event("policy-denied", {}, "{}");
      store.commit();
      while (store.tidy()) {
      }
      if (day < 2) {
        store.close_segment();
      }
    }
    store.close();
  }

  std::string path() const { return directory_.path() + "/eu-central-1.db"; }
  Report report(const Period& period) const {
    auto reader = invlog::storage::Reader::open(path());
    REQUIRE(reader);
    return gather_report(**reader, period, {});
  }
  ReportOptions options(ReportFormat format, std::int64_t from_us) const {
    ReportOptions options;
    options.store.store = path();
    options.format = format;
    options.from_us = from_us;
    options.until_us = kFifth + 3 * kDay;
    options.now_us = kFifth + 10 * kDay;
    return options;
  }

 private:
  invlog::tests::TemporaryDirectory directory_;
};

}  // namespace

TEST_CASE("report: a period from which retention took something says so") {
  const ShrunkStore store;
  const Report report = store.report({kFifth, kFifth + 3 * kDay});
  CHECK(report.total.calls == 1);
  CHECK(report.taken.last_record == 2);
  CHECK(report.taken.at_us == kFifth + 2 * kDay);
  CHECK(report.taken.complete_from_us == kFifth + 2 * kDay);
  CHECK(report.taken.concerns_period);
  CHECK(report.taken.untold == 1);  // its event went with the second
  // The store's birth, three denials, two of retention; three of them are left.
  CHECK(report.integrity.events == 6);
  std::int64_t left = 0, told = 0;
  for (const EventKind& kind : report.event_kinds) {
    left += kind.events;
    told += kind.kind == "retention" ? kind.records : 0;
  }
  CHECK(left == 3);
  CHECK(told == 2);

  const std::string text = report_text(store.options(ReportFormat::markdown, kFifth));
  CHECK(contains(text,
                 "**Attention:** Retention took records 1 to 2, most recently at "
                 "2026-10-07T00:00:00Z; calls, denials and events of that time (before "
                 "2026-10-07T00:00:00Z) may be missing here."));
  CHECK(contains(text, "- Events since the store's birth: **6**"));
  CHECK(contains(text, "which told of 1 of these records"));
  CHECK(contains(text, "No recorded call of the period that is left was denied or flagged."));
  CHECK_FALSE(contains(text, "what retention took is."));
  CHECK(contains(report_text(store.options(ReportFormat::html, kFifth)),
                 "<p class=\"alarm\">Retention took records 1 to 2, "));
  CHECK(contains(report_text(store.options(ReportFormat::json, kFifth)),
                 R"("taken":{"up_to_record":2,"at":"2026-10-07T00:00:00Z",)"
                 R"("complete_from":"2026-10-07T00:00:00Z"})"));
  std::ostringstream out, err;
  CHECK(run_report(store.options(ReportFormat::csv, kFifth), out, err) == 0);
  CHECK(contains(err.str(), "invlog report: not complete. Retention took records 1 to 2, "));

  ReportOptions before = store.options(ReportFormat::markdown, kFifth);
  before.until_us = kFifth + kDay;
  CHECK(contains(report_text(before), "No calls of this period are left."));
}

TEST_CASE("report: what retention took before a destination had got it is told") {
  const ShrunkStore store({"cloudwatch_logs", "s3"});
  const std::int64_t third = kFifth + 2 * kDay;  // of the whole store, whatever the period is
  {
    const auto ledger = invlog::storage::DeliveryLedger::open(store.path());
    REQUIRE(ledger);
    (*ledger)->state("s3");
  }
  CHECK(contains(report_text(store.options(ReportFormat::markdown, third)),
                 "**Attention:** Retention took records that were never delivered (dead letters"));
  const Report report = store.report({third, third + kDay});
  REQUIRE(report.deliveries.size() == 2);
  for (const DeliveryRow& row : report.deliveries) {
    CHECK(row.taken_undelivered == 2);
    CHECK(row.waiting == 1);
  }
  CHECK(contains(report_text(store.options(ReportFormat::json, third)),
                 R"("dead_letters":0,"taken_undelivered":2,)"));
  const std::string all_arrived = report_text(ShrunkStore().options(ReportFormat::markdown, third));
  CHECK_FALSE(contains(all_arrived, "never delivered"));
}

TEST_CASE("report: a period of which retention took nothing is not said to lack anything") {
  const ShrunkStore store;
  const std::int64_t third = kFifth + 2 * kDay;
  CHECK(store.report({third - 1, third + kDay}).taken.concerns_period);
  const Report report = store.report({third, third + kDay});
  CHECK_FALSE(report.taken.concerns_period);
  CHECK(report.taken.last_record == 2);
  // Older ones of retention were not of this period.
  for (const EventKind& kind : report.event_kinds) {
    CHECK((kind.kind != "retention" || kind.records == 1));
  }
  const std::string text = report_text(store.options(ReportFormat::markdown, third));
  CHECK_FALSE(contains(text, "may be missing"));
  CHECK(contains(text, "- Records taken away by retention: **those up to record 2**"));
  CHECK(contains(report_text(store.options(ReportFormat::json, third)), R"("taken":null)"));
  std::ostringstream out, err;
  CHECK(run_report(store.options(ReportFormat::csv, third), out, err) == 0);
  CHECK(err.str().empty());
  const ExampleStore whole;
  CHECK_FALSE(gathered(whole).taken.concerns_period);
  CHECK(contains(report_text(options_of(whole, ReportFormat::json)), R"("taken":null)"));
}

TEST_CASE("report: unseen calls that are listed no more are still counted") {
  const ExampleStore store;
  const auto at = [](std::int64_t day) { return std::to_string(kFifth + day * kDay); };
  const auto compare = [&](int id, std::int64_t made, std::int64_t since, std::int64_t until,
                           int unseen) {
    const std::string calls = std::to_string(unseen);
    change(store, "INSERT OR REPLACE INTO reconciliation VALUES (" + std::to_string(id) + ", " +
                      at(made) + ", 'source " + std::to_string(id) + "', " + at(since) + ", " +
                      at(until) + ", " + calls + ", 0, " + calls + ", 0, 0)");
  };
  change(store, "INSERT INTO unseen_call SELECT 'u' || column1, " + at(1) +
                    " + column1, 'x', 'Converse', 'nova', 'arn:role', '10.0.0.1', '', '' FROM "
                    "(VALUES (1), (2), (3))");
  compare(1, 3, 0, 2, 600);
  const Report report = gathered(store);
  CHECK(report.coverage.unseen_calls == 3);
  CHECK(report.coverage.unseen_gone == 597);
  CHECK_FALSE(report.coverage.gone_may_be_beside);
  const std::string text = report_text(options_of(store, ReportFormat::markdown));
  CHECK(contains(text, "600 unseen by the agent (3 of 600 are still listed), 0 processed"));
  CHECK(contains(text, "**Attention:** 600 calls went past the agent"));
  CHECK(contains(text, "3 of 600 are still listed. Retention took"));
  const std::string json = report_text(options_of(store, ReportFormat::json));
  CHECK(contains(json, R"("unseen_calls":3,"unseen_not_listed":597,)"));
  CHECK(contains(json, R"("unseen":600,"missing":0,"outside":0,"listed":3})"));

  // The oldest went: nothing is missing behind one that is left.
  ReportOptions later = options_of(store, ReportFormat::json);
  later.from_us = kFifth + kDay + 2;
  CHECK(contains(report_text(later), R"("unseen_calls":2,"unseen_not_listed":0,)"));
  // But it may have been of a time before the period.
  later.format = ReportFormat::markdown;
  later.from_us = kFifth + kSecond;
  CHECK(contains(report_text(later), "the others may be of a time beside the period"));

  // What a newer comparison of some of that time found says nothing of the rest, and a call that
  // several found is one call.
  compare(2, 4, 1, 3, 3);
  CHECK(gathered(store).coverage.unseen_gone == 597);
  compare(3, 2, -1, 1, 100);
  CHECK(gathered(store).coverage.unseen_gone == 597);
  change(store, "DELETE FROM unseen_call");
  CHECK(gathered(store).coverage.unseen_gone == 600);
  CHECK(contains(report_text(options_of(store, ReportFormat::markdown)),
                 "600 unseen by the agent (0 of 600 are still listed"));
  // All of it was compared again, and their records were there.
  compare(4, 5, -1, 3, 0);
  CHECK(gathered(store).coverage.unseen_gone == 0);
}

TEST_CASE("report: spans meet, overlap and leave gaps") {
  const Period period{10, 100};
  const auto merged = merged_spans({{60, 70}, {0, 20}, {20, 30}, {65, 80}, {200, 300}}, period);
  CHECK(merged == std::vector<Period>{{10, 30}, {60, 80}});
  CHECK(gaps_between(merged, period) == std::vector<Period>{{30, 60}, {80, 100}});
  CHECK(gaps_between({}, period) == std::vector<Period>{period});
  CHECK(gaps_between({period}, period).empty());
}

TEST_CASE("report: the HTML is well-formed, needs nothing else, and its pictures add up") {
  const ExampleStore store;
  add_residency(store);
  add_trail(store);
  const std::string html = report_text(options_of(store, ReportFormat::html));
  const pugi::xml_document document = parsed(html);
  CHECK(document
            .select_nodes("//script | //link | //img | //iframe | //*[@href and not("
                          "starts-with(@href, '#'))] | //@*[starts-with(name(), 'on')]")
            .empty());
  CHECK_FALSE(contains(html, "<script"));
  CHECK_FALSE(contains(html, "url("));
  CHECK(contains(html, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;|`*&amp;"));
  CHECK(document.select_node("/html/head/title").node().text().as_string() ==
        std::string("Record of processing activities: Amazon Bedrock, Source Region eu-central-1, "
                    "2026-10-05T00:00:00Z to 2026-10-08T00:00:00Z"));
  CHECK(document.select_nodes("//table").size() == document.select_nodes("//caption").size());
  CHECK(document.select_nodes("//svg[title and desc]").size() == 2);
  for (const char* column : {"0", "1", "2", "3"}) {
    CHECK(calls_of(document,
                   std::string("//rect[@class='node' and @data-column='") + column + "']") == 6);
  }
  for (const char* column : {"0", "1", "2"}) {
    CHECK(calls_of(document, std::string("//path[@data-column='") + column + "']") == 6);
  }
  CHECK(calls_of(document, "//g[@class='bar']/rect") == 6);
}

TEST_CASE("report: what flows into a node flows out of it, with any number of profiles") {
  Report report;
  report.store.region = "eu-central-1";
  for (int profile = 0; profile < 40; ++profile) {
    FlowRow row;
    row.profile = "profile " + std::to_string(profile);
    row.scope = profile % 3 == 0 ? "global" : "geographic";
    row.destinations = profile % 3 == 0 ? "*" : "eu-west-" + std::to_string(profile % 14);
    row.not_sent = profile % 5 == 0;
    row.processed_in = row.not_sent ? "" : "region-" + std::to_string(profile % 12);
    row.volume.calls = 1 + profile * profile;
    report.total.add(row.volume);
    report.flows.push_back(row);
  }
  const FlowGraph graph = flow_graph(report);
  CHECK(graph.calls == report.total.calls);
  for (std::size_t column = 0; column < FlowGraph::kColumns; ++column) {
    CHECK(graph.columns[column].size() <= 9);
    for (std::size_t node = 0; node < graph.columns[column].size(); ++node) {
      std::int64_t in = 0, out = 0;
      for (const FlowLink& link : graph.links) {
        out += link.column == column && link.from == node ? link.calls : 0;
        in += link.column + 1 == column && link.to == node ? link.calls : 0;
      }
      INFO(column << " " << graph.columns[column][node].name);
      CHECK((column == 0 || in == graph.columns[column][node].calls));
      CHECK((column + 1 == FlowGraph::kColumns || out == graph.columns[column][node].calls));
    }
  }
  CHECK(contains(flow_picture(report), "32 others"));
}

TEST_CASE("report: Markdown and CSV disarm what callers sent") {
  const ExampleStore store;
  add_residency(store);
  const std::string text = report_text(options_of(store, ReportFormat::markdown));
  CHECK(contains(text, "&lt;script&gt;alert('x')&lt;/script&gt;\\|\\`\\*&amp;"));
  CHECK_FALSE(contains(text, "<script"));
  CHECK(escaped_markdown("a_b _c_ [x](y)\n\u202e#") == "a_b \\_c\\_ \\[x\\](y)\\\\n\\\\u202e\\#");
  ReportOptions options = options_of(store, ReportFormat::csv);
  CHECK(report_text(options) ==
        "model,profile,scope,caller,calls,errors,input_tokens,output_tokens,cache_read_tokens,"
        "cache_write_tokens\r\n"
        "nova,eu.nova,geographic,alice,2,0,2000,20,500,50\r\n" +
            std::string(kHostile) +
            ",,,bob,1,1,1000,10,0,0\r\n"
            "claude,global.claude,global,bob,1,1,0,0,0,0\r\n"
            "image,,in-region,,1,0,1000,10,0,0\r\n"
            "nova,eu.nova,geographic,'=cmd(),1,0,1000,10,0,0\r\n");
  options.table = CsvTable::destinations;
  CHECK(contains(report_text(options),
                 "eu-central-1,eu.nova,geographic,\"eu-central-1,eu-west-1\","
                 ",true,0,3,0,3000,30,500,50\r\n"));
  options.table = CsvTable::daily;
  CHECK(contains(report_text(options), "\r\n2026-10-06,2,2,1000,10,0,0,0,0,0,1,1,0\r\n"));
  for (const CsvTable table : {CsvTable::models, CsvTable::callers, CsvTable::decisions,
                               CsvTable::unseen, CsvTable::events}) {
    options.table = table;
    const std::string csv = report_text(options);
    CHECK(contains(csv, "\r\n"));
  }
  options.format = ReportFormat::html;
  report_text(options, 2);
}

TEST_CASE("report: the JSON has everything, and is the same each time") {
  const ExampleStore store;
  add_residency(store);
  add_trail(store);
  const std::string json = report_text(options_of(store, ReportFormat::json));
  CHECK(json == report_text(options_of(store, ReportFormat::json)));
  simdjson::dom::parser parser;
  const simdjson::dom::element root = parser.parse(json);
  CHECK(std::string_view(root["made_at"]) == "2026-10-15T00:00:00Z");
  CHECK(std::string_view(root["store"]["source_region"]) == "eu-central-1");
  CHECK(std::string_view(root["store"]["host"]) == "test-host");
  CHECK(std::int64_t(root["records"]["in_period"]) == 6);
  CHECK(std::int64_t(root["total"]["input_tokens"]) == 5000);
  CHECK(bool(root["cloudtrail"]["compared"]));
  CHECK(root["integrity"]["verified"].is_null());
  CHECK(std::string_view(root["cloudtrail"]["unseen"].at(0)["principal"]) == "arn:role");
  CHECK(
      contains(json, R"("destinations":["eu-central-1","eu-west-1"],"processed_in":"us-east-1")"));
  CHECK(root["days"].get_array().size() == 3);
}

TEST_CASE("report: says which hosts the store was on before") {
  const ExampleStore store;
  CHECK(contains(report_text(options_of(store, ReportFormat::json)), R"("host_changes":[])"));
  change(store, std::string(invlog::storage::host_schema_sql()) +
                    ";INSERT INTO host_change(first_record, host) VALUES (3, 'web-17'), (5, 'x')"
                    ";INSERT INTO event(at, kind, details) VALUES (" +
                    std::to_string(kFifth) +
                    R"(, 'host-changed', '{"from":"test-host","to":"web-17","first_record":3}'),)" +
                    "(1, 'host-changed', 'no JSON')");
  CHECK(contains(report_text(options_of(store, ReportFormat::json)),
                 R"("host":"x","host_changes":[{"at":"2026-10-05T00:00:00Z","first_record":3,)"
                 R"("from":"test-host","to":"web-17"},{"at":null,"first_record":5,)"
                 R"("from":"web-17","to":"x"}])"));
  const std::string text = report_text(options_of(store, ReportFormat::markdown));
  CHECK(contains(text, "web-17"));
  CHECK(contains(text, "Host until 2026-10-05T00:00:00Z, up to record 2"));
  CHECK(contains(text, "Host up to record 4"));
  CHECK(contains(text, "test-host"));
}

TEST_CASE("report: nothing is called verified that was not") {
  const ExampleStore store;
  ReportOptions options = options_of(store, ReportFormat::markdown);
  const std::string unverified = report_text(options);
  CHECK(contains(unverified, "The store was not verified for this report."));
  CHECK_FALSE(contains(unverified, "is whole"));
  options.verify = true;
  const std::string verified = report_text(options);
  CHECK(contains(verified, "was verified for this report and is whole: 6 records and 1 segment"));
  CHECK_FALSE(contains(verified, "1 segments"));
  change(store, "UPDATE record SET checksum = checksum + 1 WHERE id = 3");
  const std::string damaged = report_text(options, 1);
  CHECK(contains(damaged, "is NOT whole"));
  CHECK(contains(damaged, "| record 3 "));
}

TEST_CASE("report: periods, empty ones, and the file") {
  const ExampleStore store;
  ReportOptions options = options_of(store, ReportFormat::html);
  options.from_us = kFifth - 400 * kDay;
  const pugi::xml_document long_one = parsed(report_text(options));
  CHECK(calls_of(long_one, "//g[@class='bar']/rect") == 6);
  CHECK(long_one.select_node("//th[text()='ISO week']"));
  CHECK(long_one.select_node("//td[text()='2026-W41']"));
  options.until_us = kFifth;
  const std::string empty = report_text(options);
  parsed(empty);
  CHECK(contains(empty, "There are no calls in this period."));
  options.from_us = kFifth;
  report_text(options, 2);

  options = options_of(store, ReportFormat::markdown);
  options.from_us = {};
  options.until_us = {};
  options.output = store.directory().path() + "/report.md";
  std::ostringstream out, err;
  CHECK(run_report(options, out, err) == 0);
  CHECK(out.str().empty());
  CHECK(err.str() == "invlog report: 6 records in " + *options.output + "\n");
  std::ifstream file(*options.output);
  std::string first_line;
  std::getline(file, first_line);
  CHECK(first_line == "# Record of processing activities: Amazon Bedrock");
}

TEST_CASE("report: a store older than delivery and residency has a report") {
  const ExampleStore store;
  change(store,
         "DROP VIEW invocations; DROP TABLE trail; DROP TABLE unseen_call; DROP TABLE "
         "reconciliation; DROP TABLE inference_profile; ALTER TABLE record DROP COLUMN "
         "destinations; DROP TABLE IF EXISTS delivery; DROP TABLE IF EXISTS dead_letter;");
  const std::string text = report_text(options_of(store, ReportFormat::markdown));
  CHECK(contains(text, "6 of 6 in the store"));
  CHECK(contains(text, "Nothing was delivered from this store"));
}

TEST_CASE("report does not replace the store that it reads") {
  const ExampleStore store;
  ReportOptions options;
  options.store = store.options();
  options.now_us = kFifth + 10 * kDay;
  options.output = store.path();
  std::ostringstream out, err;
  CHECK(run_report(options, out, err) == 2);
  CHECK(contains(err.str(), "is the store's own file"));
  options.output.reset();
  CHECK(run_report(options, out, err) == 0);
}
