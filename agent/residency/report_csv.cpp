#include "agent/residency/report_csv.h"

#include "agent/cli/row_format.h"
#include "agent/residency/report_groups.h"
#include "storage/time_text.h"

namespace invlog::residency {
namespace {

constexpr std::int64_t kDayUs = 86'400'000'000;

class Line {
 public:
  // "" is an empty field: unknown.
  Line& text(const std::string& value) {
    separate();
    if (!value.empty()) {
      cli::append_csv_text(line_, value);
    }
    return *this;
  }
  Line& number(std::int64_t value) {
    separate();
    line_ += std::to_string(value);
    return *this;
  }
  Line& time(std::int64_t at_us) { return text(storage::iso_seconds(at_us)); }
  Line& volume(const Volume& volume) {
    return number(volume.calls)
        .number(volume.errors)
        .number(volume.input)
        .number(volume.output)
        .number(volume.cache_read)
        .number(volume.cache_write);
  }
  std::string end() const { return line_ + "\r\n"; }

 private:
  void separate() {
    line_ += first_ ? "" : ",";
    first_ = false;
  }
  std::string line_;
  bool first_ = true;
};

std::string header(std::vector<std::string> names, bool volume) {
  if (volume) {
    for (const char* name : {"calls", "errors", "input_tokens", "output_tokens",
                             "cache_read_tokens", "cache_write_tokens"}) {
      names.emplace_back(name);
    }
  }
  return cli::csv_header(names);
}

std::string usage_csv(const Report& report) {
  std::string csv = header({"model", "profile", "scope", "caller"}, true);
  for (const UsageRow& row : report.usage) {
    csv += Line()
               .text(row.model)
               .text(row.profile)
               .text(row.scope)
               .text(row.caller)
               .volume(row.volume)
               .end();
  }
  return csv;
}

std::string models_csv(const Report& report) {
  std::string csv = header({"model", "profile", "scope", "callers"}, true);
  for (const ModelRow& row : usage_by_model(report)) {
    csv += Line()
               .text(row.model)
               .text(row.profile)
               .text(row.scope)
               .number(row.callers)
               .volume(row.volume)
               .end();
  }
  return csv;
}

std::string callers_csv(const Report& report) {
  std::string csv = header({"caller", "models"}, true);
  for (const CallerRow& row : usage_by_caller(report)) {
    csv += Line().text(row.caller).number(row.models).volume(row.volume).end();
  }
  return csv;
}

std::string daily_csv(const Report& report) {
  std::string csv = cli::csv_header({"day", "calls", "errors", "input_tokens", "output_tokens",
                                     "cache_read_tokens", "cache_write_tokens", "in_region",
                                     "geographic", "global", "unknown", "not_sent", "flagged"});
  for (const DayRow& row : report.days) {
    Line line;
    line.text(storage::iso_seconds(row.day * kDayUs).substr(0, 10)).volume(row.volume);
    for (const std::int64_t calls : row.calls_by_scope) {
      line.number(calls);
    }
    csv += line.number(row.flagged).end();
  }
  return csv;
}

std::string destinations_csv(const Report& report) {
  std::string csv = header(
      {"source_region", "profile", "scope", "destinations", "processed_in", "sent", "outside"},
      true);
  for (const FlowRow& row : report.flows) {
    csv += Line()
               .text(report.store.region)
               .text(row.profile)
               .text(row.scope)
               .text(row.destinations)
               .text(row.processed_in)
               .text(row.not_sent ? "false" : "true")
               .number(row.outside)
               .volume(row.volume)
               .end();
  }
  return csv;
}

std::string decisions_csv(const Report& report) {
  std::string csv =
      cli::csv_header({"decision", "rule", "caller", "model", "calls", "first", "last"});
  for (const DecisionRow& row : report.decisions) {
    csv += Line()
               .text(row.decision)
               .text(row.rule)
               .text(row.caller)
               .text(row.model)
               .number(row.calls)
               .time(row.first_us)
               .time(row.last_us)
               .end();
  }
  return csv;
}

std::string unseen_csv(const Report& report) {
  std::string csv =
      cli::csv_header({"principal", "source_address", "model", "calls", "first", "last"});
  for (const UnseenRow& row : report.coverage.unseen) {
    csv += Line()
               .text(row.principal)
               .text(row.source_address)
               .text(row.model)
               .number(row.calls)
               .time(row.first_us)
               .time(row.last_us)
               .end();
  }
  return csv;
}

std::string events_csv(const Report& report) {
  std::string csv = cli::csv_header({"event", "times", "records", "first", "last"});
  for (const EventKind& kind : report.event_kinds) {
    csv += Line()
               .text(kind.kind)
               .number(kind.events)
               .number(kind.records)
               .time(kind.first_us)
               .time(kind.last_us)
               .end();
  }
  return csv;
}

}  // namespace

std::string report_csv(const Report& report, CsvTable table) {
  switch (table) {
    case CsvTable::models:
      return models_csv(report);
    case CsvTable::callers:
      return callers_csv(report);
    case CsvTable::daily:
      return daily_csv(report);
    case CsvTable::destinations:
      return destinations_csv(report);
    case CsvTable::decisions:
      return decisions_csv(report);
    case CsvTable::unseen:
      return unseen_csv(report);
    case CsvTable::events:
      return events_csv(report);
    case CsvTable::usage:
      break;
  }
  return usage_csv(report);
}

}  // namespace invlog::residency
