#include "agent/cli/reconcile_report.h"

#include "agent/cli/display_text.h"
#include "agent/cli/text_table.h"
#include "storage/json_writer.h"
#include "storage/time_text.h"

namespace invlog::cli {
namespace {

using residency::MissingRecord;
using residency::OutsideRecord;
using residency::Reconciliation;
using storage::append_json_member;
using storage::append_json_number;
using storage::append_json_raw;
using storage::iso_seconds;
using storage::UnseenCall;

constexpr std::size_t kProblemsShown = 20;

void line(std::ostream& out, const char* name, long long count, const std::string& remark = "") {
  const std::string number = grouped(count);
  out << "  " << name << std::string(36 - std::string_view(name).size(), ' ')
      << std::string(number.size() < 11 ? 11 - number.size() : 0, ' ') << number
      << (remark.empty() ? "" : "   " + remark) << '\n';
}

std::string fresh(long long count) {
  return count == 0 ? "" : grouped(count) + " of them new";
}

void print_totals(const ReconcileHeading& heading, const Reconciliation& found, std::ostream& out) {
  out << printable(heading.source) << '\n';
  if (found.until_us == 0) {
    out << "no event of " << heading.region << (found.ends_us == 0 ? "" : " from --since on")
        << " among " << counted(found.read, "event") << '\n';
    return;
  }
  out << iso_seconds(found.since_us) << " to " << iso_seconds(found.until_us) << ", "
      << heading.region << (heading.account.empty() ? "" : ", account " + heading.account) << '\n';
  line(out, "calls that CloudTrail knows", found.events, "of " + counted(found.read, "event"));
  line(out, "  with a record", found.matched, fresh(found.new_matched));
  line(out, "  never seen by the agent", found.unseen, fresh(found.new_unseen));
  if (found.unlisted > 0) {
    line(out, "    not listed in the store", found.unlisted);
  }
  if (found.before > 0) {
    line(out, "  older than what the store has", found.before);
  }
  line(out, "records of calls in that time", found.records);
  line(out, "  without an event", found.missing);
  if (found.not_yet > 0) {
    line(out, "  too recent for an event", found.not_yet);
  }
  line(out, "processed outside the destinations", found.outside, fresh(found.new_outside));
  if (found.unknown > 0) {
    line(out, "destinations not on record", found.unknown);
  }
  for (const auto& [region, count] : found.regions) {
    line(out, ("processed in " + printable(region)).substr(0, 36).c_str(), count);
  }
}

void print_title(std::ostream& out, const char* what, std::size_t shown, long long total) {
  out << '\n' << what;
  if (static_cast<long long>(shown) < total) {
    out << " (the first " << shown << "; --all shows " << grouped(total) << ')';
  }
  out << '\n';
}

void print_outside(const Reconciliation& found, int width, std::ostream& out) {
  if (found.outside_records.empty()) {
    return;
  }
  print_title(out, "Processed outside the destinations", found.outside_records.size(),
              found.outside);
  TextTable table(out, {"id", "time", "request id", "model", "processed in", "destinations"},
                  width);
  for (const OutsideRecord& record : found.outside_records) {
    table.add({{std::to_string(record.id), true},
               {iso_seconds(record.at_us), false},
               {printable(record.request_id), false},
               {printable(record.model), false},
               {printable(record.region), false},
               {printable(record.destinations), false}});
  }
  table.finish();
}

void print_unseen(const Reconciliation& found, int width, std::ostream& out) {
  if (found.unseen_calls.empty()) {
    return;
  }
  print_title(out, "Calls that the agent never saw", found.unseen_calls.size(), found.unseen);
  TextTable table(
      out, {"time", "principal", "source address", "model", "operation", "processed in", "error"},
      width);
  for (const UnseenCall& call : found.unseen_calls) {
    table.add({{iso_seconds(call.at_us), false},
               {printable(call.principal), false},
               {printable(call.source_address), false},
               {printable(call.model), false},
               {printable(call.operation), false},
               {printable(call.inference_region), false},
               {printable(call.error), false}});
  }
  table.finish();
}

void print_missing(const Reconciliation& found, int width, std::ostream& out) {
  if (found.missing_records.empty()) {
    return;
  }
  print_title(out, "Records without an event", found.missing_records.size(), found.missing);
  TextTable table(out, {"id", "time", "request id", "model", "operation", "status"}, width);
  for (const MissingRecord& record : found.missing_records) {
    table.add({{std::to_string(record.id), true},
               {iso_seconds(record.started_at_us), false},
               {printable(record.request_id), false},
               {printable(record.model), false},
               {printable(record.operation), false},
               {std::to_string(record.status), true}});
  }
  table.finish();
}

// A JSON list, written element by element: it may have a million.
template <typename Element, typename Write>
void write_list(std::ostream& out, const char* name, const std::vector<Element>& list,
                Write&& write) {
  out << ",\"" << name << "\":[";
  bool first = true;
  for (const Element& element : list) {
    std::string json = first ? "{" : ",{";
    write(json, element);
    out << json << '}';
    first = false;
  }
  out << ']';
}

std::string totals_json(const ReconcileHeading& heading, const Reconciliation& found) {
  std::string json = "{";
  append_json_member(json, "source", heading.source);
  append_json_member(json, "store", heading.store);
  append_json_member(json, "region", heading.region);
  append_json_member(json, "account", heading.account);
  if (found.until_us != 0) {
    append_json_member(json, "since", iso_seconds(found.since_us));
    append_json_member(json, "until", iso_seconds(found.until_us));
  }
  const std::pair<const char*, std::int64_t> counts[] = {{"events_read", found.read},
                                                         {"events_left_out", found.left_out},
                                                         {"duplicates", found.duplicates},
                                                         {"events", found.events},
                                                         {"matched", found.matched},
                                                         {"new_matched", found.new_matched},
                                                         {"unseen", found.unseen},
                                                         {"new_unseen", found.new_unseen},
                                                         {"unlisted", found.unlisted},
                                                         {"before_store", found.before},
                                                         {"records", found.records},
                                                         {"missing", found.missing},
                                                         {"not_yet", found.not_yet},
                                                         {"outside", found.outside},
                                                         {"new_outside", found.new_outside},
                                                         {"unknown", found.unknown},
                                                         {"problem_count", found.problem_count}};
  for (const auto& [name, count] : counts) {
    append_json_number(json, name, count);
  }
  std::string regions = "{";
  for (const auto& [region, count] : found.regions) {
    regions += regions.size() > 1 ? "," : "";
    storage::append_json_string(regions, region);
    regions += ":" + std::to_string(count);
  }
  append_json_raw(json, "processed_in", regions + "}");
  return json;
}

std::string place_of(const residency::TrailProblem& problem) {
  return problem.where + (problem.offset ? ":" + std::to_string(*problem.offset) : "");
}

}  // namespace

void print_reconciliation(const ReconcileHeading& heading, const Reconciliation& reconciliation,
                          int width, std::ostream& out) {
  print_totals(heading, reconciliation, out);
  print_outside(reconciliation, width, out);
  print_unseen(reconciliation, width, out);
  print_missing(reconciliation, width, out);
}

void print_reconciliation_json(const ReconcileHeading& heading,
                               const Reconciliation& reconciliation, std::ostream& out) {
  out << totals_json(heading, reconciliation);
  write_list(out, "outside_records", reconciliation.outside_records,
             [](std::string& json, const OutsideRecord& record) {
               append_json_number(json, "id", record.id);
               append_json_member(json, "time", iso_seconds(record.at_us));
               append_json_member(json, "request_id", record.request_id);
               append_json_member(json, "model", record.model);
               append_json_member(json, "inference_region", record.region);
               append_json_member(json, "destinations", record.destinations);
               append_json_raw(json, "new", record.is_new ? "true" : "false");
             });
  write_list(out, "unseen_calls", reconciliation.unseen_calls,
             [](std::string& json, const UnseenCall& call) {
               append_json_member(json, "time", iso_seconds(call.at_us));
               append_json_member(json, "event_id", call.event_id);
               append_json_member(json, "request_id", call.request_id);
               append_json_member(json, "principal", call.principal);
               append_json_member(json, "source_address", call.source_address);
               append_json_member(json, "model", call.model);
               append_json_member(json, "operation", call.operation);
               append_json_member(json, "inference_region", call.inference_region);
               append_json_member(json, "error", call.error);
             });
  write_list(out, "missing_records", reconciliation.missing_records,
             [](std::string& json, const MissingRecord& record) {
               append_json_number(json, "id", record.id);
               append_json_member(json, "time", iso_seconds(record.started_at_us));
               append_json_member(json, "request_id", record.request_id);
               append_json_member(json, "model", record.model);
               append_json_member(json, "operation", record.operation);
               append_json_number(json, "status", record.status);
             });
  write_list(out, "problems", reconciliation.problems,
             [](std::string& json, const residency::TrailProblem& problem) {
               append_json_member(json, "where", problem.where);
               if (problem.offset) {
                 append_json_number(json, "offset", static_cast<long long>(*problem.offset));
               }
               append_json_member(json, "what", problem.what);
             });
  out << "}\n";
}

void print_early_end(const Reconciliation& reconciliation, std::ostream& err) {
  if (reconciliation.ends_us != 0) {
    err << "invlog reconcile: these events end at " << iso_seconds(reconciliation.ends_us)
        << ", before --until: nothing later was compared\n";
  }
}

void print_trail_problems(const Reconciliation& reconciliation, std::ostream& err) {
  std::size_t shown = 0;
  for (const residency::TrailProblem& problem : reconciliation.problems) {
    if (shown++ == kProblemsShown) {
      break;
    }
    err << "invlog reconcile: " << printable(place_of(problem)) << ": " << printable(problem.what)
        << '\n';
  }
  const auto more = reconciliation.problem_count - static_cast<std::int64_t>(kProblemsShown);
  if (more > 0) {
    err << "invlog reconcile: and " << counted(more, "problem") << " more; --json lists them\n";
  }
  if (reconciliation.problem_count > 0) {
    err << "invlog reconcile: not all was read, so nothing is written down as compared\n";
  }
}

}  // namespace invlog::cli
