#include "agent/residency/report_json.h"

#include <algorithm>

#include "storage/json_writer.h"
#include "storage/time_text.h"

namespace invlog::residency {
namespace {

constexpr std::int64_t kDayUs = 86'400'000'000;

class Object {
 public:
  Object& text(const char* name, const std::string& value) {
    if (value.empty()) {
      storage::append_json_raw(json_, name, "null");
    } else {
      storage::append_json_member(json_, name, value);
    }
    return *this;
  }
  Object& number(const char* name, std::int64_t value) {
    storage::append_json_number(json_, name, value);
    return *this;
  }
  Object& boolean(const char* name, bool value) { return raw(name, value ? "true" : "false"); }
  // 0 is null.
  Object& time(const char* name, std::int64_t at_us) {
    return text(name, at_us == 0 ? "" : storage::iso_seconds(at_us));
  }
  Object& raw(const char* name, const std::string& json) {
    storage::append_json_raw(json_, name, json);
    return *this;
  }
  Object& volume(const Volume& volume) {
    return number("calls", volume.calls)
        .number("errors", volume.errors)
        .number("input_tokens", volume.input)
        .number("output_tokens", volume.output)
        .number("cache_read_tokens", volume.cache_read)
        .number("cache_write_tokens", volume.cache_write);
  }
  std::string end() const { return json_ + "}"; }

 private:
  std::string json_ = "{";
};

template <class Row, class Write>
std::string array(const std::vector<Row>& rows, Write write) {
  std::string json = "[";
  for (const Row& row : rows) {
    json += json.size() > 1 ? "," : "";
    json += write(row);
  }
  return json + "]";
}

std::string span_json(const Period& span) {
  return Object().time("from", span.from_us).time("until", span.until_us).end();
}

// Regions as an array, null if unknown.
std::string destinations_json(const std::string& destinations) {
  if (destinations.empty()) {
    return "null";
  }
  std::string json = "[";
  for (std::size_t from = 0; from <= destinations.size();) {
    const std::size_t end = std::min(destinations.find(',', from), destinations.size());
    json += json.size() > 1 ? "," : "";
    storage::append_json_string(json, std::string_view(destinations).substr(from, end - from));
    from = end + 1;
  }
  return json + "]";
}

std::string usage_json(const UsageRow& row) {
  return Object()
      .text("model", row.model)
      .text("profile", row.profile)
      .text("scope", row.scope)
      .text("caller", row.caller)
      .volume(row.volume)
      .end();
}

std::string flow_json(const FlowRow& row) {
  return Object()
      .text("profile", row.profile)
      .text("scope", row.scope)
      .raw("destinations", destinations_json(row.destinations))
      .text("processed_in", row.processed_in)
      .boolean("sent", !row.not_sent)
      .number("outside", row.outside)
      .volume(row.volume)
      .end();
}

std::string day_json(const DayRow& row) {
  Object scopes;
  for (std::size_t scope = 0; scope < kScopes; ++scope) {
    std::string name = scope_name(scope);
    std::replace(name.begin(), name.end(), ' ', '-');
    scopes.number(name.c_str(), row.calls_by_scope[scope]);
  }
  return Object()
      .text("day", storage::iso_seconds(row.day * kDayUs).substr(0, 10))
      .volume(row.volume)
      .raw("calls_by_scope", scopes.end())
      .number("flagged", row.flagged)
      .end();
}

std::string decision_json(const DecisionRow& row) {
  return Object()
      .text("decision", row.decision)
      .text("rule", row.rule)
      .text("caller", row.caller)
      .text("model", row.model)
      .number("calls", row.calls)
      .time("first", row.first_us)
      .time("last", row.last_us)
      .end();
}

std::string comparison_json(const ReconciliationRow& row) {
  return Object()
      .time("at", row.at_us)
      .text("source", row.source)
      .time("from", row.span.from_us)
      .time("until", row.span.until_us)
      .number("events", row.events)
      .number("matched", row.matched)
      .number("unseen", row.unseen)
      .number("missing", row.missing)
      .number("outside", row.outside)
      .number("listed", row.listed)
      .end();
}

std::string unseen_json(const UnseenRow& row) {
  return Object()
      .text("principal", row.principal)
      .text("source_address", row.source_address)
      .text("model", row.model)
      .number("calls", row.calls)
      .time("first", row.first_us)
      .time("last", row.last_us)
      .end();
}

std::string coverage_json(const Coverage& coverage) {
  return Object()
      .boolean("compared", !coverage.reconciliations.empty())
      .raw("covered", array(coverage.covered, span_json))
      .raw("gaps", array(coverage.gaps, span_json))
      .number("records_with_event", coverage.with_event)
      .number("records_without_event", coverage.without_event)
      .number("records_too_recent", coverage.not_yet)
      .number("records_without_expected_event", coverage.none_expected)
      .number("records_not_compared", coverage.not_compared)
      .number("outside", coverage.outside)
      .number("unseen_calls", coverage.unseen_calls)
      .number("unseen_not_listed", coverage.unseen_gone)
      .raw("unseen", array(coverage.unseen, unseen_json))
      .raw("comparisons", array(coverage.reconciliations, comparison_json))
      .end();
}

std::string problem_json(const storage::VerifyProblem& problem) {
  return Object().text("where", problem.where).text("what", problem.what).end();
}

std::string verified_json(const std::optional<storage::VerifyReport>& verified) {
  if (!verified) {
    return "null";
  }
  return Object()
      .boolean("whole", verified->problems.empty())
      .number("records", static_cast<std::int64_t>(verified->records))
      .number("segments", static_cast<std::int64_t>(verified->segments))
      .number("body_bytes", static_cast<std::int64_t>(verified->body_bytes))
      .raw("problems", array(verified->problems, problem_json))
      .end();
}

std::string integrity_json(const Report& report) {
  const IntegrityFacts& facts = report.integrity;
  return Object()
      .number("segments", facts.segments)
      .number("closed_segments", facts.closed_segments)
      .number("last_segment", facts.last_segment)
      .time("last_closed_at", facts.last_closed_us)
      .text("chain_head", facts.chain_head)
      .number("records_without_digest", facts.records_without_digest)
      .number("removed_up_to_record", report.taken.last_record)
      .number("events", facts.events)
      .raw("verified", verified_json(facts.verified))
      .end();
}

std::string event_json(const EventRow& event) {
  return Object()
      .time("at", event.at_us)
      .text("kind", event.kind)
      .raw("records", event.records ? std::to_string(*event.records) : "null")
      .text("details", event.details)
      .end();
}

std::string kind_json(const EventKind& kind) {
  return Object()
      .text("kind", kind.kind)
      .number("events", kind.events)
      .number("records", kind.records)
      .time("first", kind.first_us)
      .time("last", kind.last_us)
      .end();
}

std::string place_json(const storage::DeliveredRanges::OfTarget& place) {
  std::string records;
  for (const auto& [first, last] : place.records) {
    records +=
        (records.empty() ? "[" : ",[") + std::to_string(first) + "," + std::to_string(last) + "]";
  }
  return Object()
      .text("target", place.target)
      .raw("records", "[" + records + "]")
      .raw("under_way", place.under_way ? "true" : "false")
      .end();
}

std::string delivery_json(const DeliveryRow& row) {
  return Object()
      .text("destination", row.state.destination)
      .text("target", row.state.target)
      .raw("places", array(row.places, place_json))
      .number("cursor", row.state.cursor)
      .number("waiting", row.waiting)
      .number("delivered_records", row.state.delivered_records)
      .number("dead_letters", row.dead_letters)
      .number("taken_undelivered", row.taken_undelivered)
      .time("last_success_at", row.state.last_success_us)
      .text("last_error", row.state.last_error)
      .time("last_error_at", row.state.last_error_us)
      .end();
}

std::string taken_json(const TakenByRetention& taken) {
  if (!taken.concerns_period) {
    return "null";
  }
  return Object()
      .number("up_to_record", taken.last_record)
      .time("at", taken.at_us)
      .time("complete_from", taken.complete_from_us)
      .end();
}

std::string host_change_json(const storage::HostChange& change) {
  return Object()
      .time("at", change.at_us)
      .number("first_record", change.first_record)
      .text("from", change.from)
      .text("to", change.to)
      .end();
}

std::string store_json(const Report& report) {
  return Object()
      .text("path", report.store_path)
      .text("source_region", report.store.region)
      .text("account_id", report.store.account_id)
      .text("host", report.store.host)
      .raw("host_changes", array(report.host_changes, host_change_json))
      .text("created_at", report.store.created_at)
      .end();
}

}  // namespace

std::string report_json(const Report& report) {
  return Object()
      .number("version", 2)
      .time("made_at", report.made_at_us)
      .text("made_by", "invlog " + report.version)
      .raw("store", store_json(report))
      .raw("period", span_json(report.period))
      .raw("records", Object()
                          .number("in_period", report.total.calls)
                          .number("in_store", report.records_in_store)
                          .end())
      .raw("taken", taken_json(report.taken))
      .raw("total", Object().volume(report.total).end())
      .raw("usage", array(report.usage, usage_json))
      .raw("flows", array(report.flows, flow_json))
      .raw("days", array(report.days, day_json))
      .raw("decisions", array(report.decisions, decision_json))
      .raw("cloudtrail", coverage_json(report.coverage))
      .raw("integrity", integrity_json(report))
      .raw("alarms", array(report.alarms, event_json))
      .raw("removals", array(report.removals, event_json))
      .raw("events", array(report.event_kinds, kind_json))
      .raw("deliveries", array(report.deliveries, delivery_json))
      .end();
}

}  // namespace invlog::residency
