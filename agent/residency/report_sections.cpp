#include "agent/residency/report_sections.h"

#include <algorithm>
#include <set>

namespace invlog::residency {
namespace {

// What a document shows of a long list; JSON and CSV have all of it.
constexpr std::size_t kMostRows = 60;

Cell time_cell(std::int64_t at_us) {
  return {time_or_nothing(at_us), Cell::Kind::time};
}

Cell text_cell(std::string text) {
  return {std::move(text), Cell::Kind::text};
}

std::string span_text(const Period& span) {
  return time_or_nothing(span.from_us) + " to " + time_or_nothing(span.until_us);
}

std::string spans_text(const std::vector<Period>& spans) {
  constexpr std::size_t kMostSpans = 5;
  std::string text;
  for (std::size_t at = 0; at < spans.size() && at < kMostSpans; ++at) {
    text += (at > 0 ? "; " : "") + span_text(spans[at]);
  }
  if (spans.size() > kMostSpans) {
    text += "; and " + spaced(static_cast<std::int64_t>(spans.size() - kMostSpans)) + " more";
  }
  return text.empty() ? "none" : text;
}

std::string calls_text(std::int64_t calls) {
  return calls == 1 ? "1 call" : spaced(calls) + " calls";
}

void note_left_out(Section& section, std::size_t rows, std::size_t shown, const char* which) {
  if (rows > shown) {
    section.blocks.push_back(Paragraph{
        "Only the " + std::string(which) + " " + spaced(static_cast<std::int64_t>(shown)) + " of " +
        spaced(static_cast<std::int64_t>(rows)) + " are shown; the JSON has all."});
  }
}

std::string share_of_calls(const Report& report, std::int64_t calls) {
  const std::string share = percentage(calls, report.total.calls);
  return spaced(calls) + (share.empty() ? "" : " (" + share + ")");
}

std::array<std::int64_t, kScopes> calls_by_scope(const Report& report) {
  std::array<std::int64_t, kScopes> calls{};
  for (const FlowRow& row : report.flows) {
    calls[scope_index(row.scope, row.not_sent)] += row.volume.calls;
  }
  return calls;
}

std::string known_regions(const Report& report) {
  std::set<std::string> regions;
  std::int64_t known = 0;
  for (const FlowRow& row : report.flows) {
    if (!row.processed_in.empty()) {
      regions.insert(row.processed_in);
      known += row.volume.calls;
    }
  }
  std::string text;
  for (const std::string& region : regions) {
    text += (text.empty() ? "" : ", ") + region;
  }
  return text.empty() ? "not known of any call"
                      : text + "; known of " + share_of_calls(report, known) + " of the calls";
}

// Of the unseen calls, whose rows retention may have taken; a record may have turned up since, too.
std::string still_listed(const Coverage& coverage) {
  return spaced(coverage.unseen_calls) + " of " + spaced(coverage.unseen_found()) +
         " are still listed" +
         (coverage.gone_may_be_beside ? "; the others may be of a time beside the period" : "");
}

std::string coverage_summary(const Report& report) {
  const Coverage& coverage = report.coverage;
  if (coverage.reconciliations.empty()) {
    return "not compared";
  }
  return calls_text(coverage.with_event) + " matched, " + spaced(coverage.without_event) +
         " without an event, " + spaced(coverage.unseen_found()) + " unseen by the agent" +
         (coverage.unseen_gone > 0 ? " (" + still_listed(coverage) + "), " : ", ") +
         spaced(coverage.outside) + " processed where it was not allowed";
}

std::string integrity_summary(const IntegrityFacts& facts) {
  if (!facts.verified) {
    return "not verified for this report";
  }
  const std::size_t problems = facts.verified->problems.size();
  return problems == 0 ? "verified: whole"
                       : "verified: " + spaced(static_cast<std::int64_t>(problems)) +
                             (problems == 1 ? " problem" : " problems");
}

// Refusals of calls that become no record: an event for each reason and run of the agent.
std::int64_t unrecorded_denials(const Report& report) {
  const auto found =
      std::find_if(report.event_kinds.begin(), report.event_kinds.end(),
                   [](const EventKind& kind) { return kind.kind == "policy-denied"; });
  return found == report.event_kinds.end() ? 0 : found->events;
}

Facts summary(const Report& report) {
  const auto scopes = calls_by_scope(report);
  Facts facts;
  const auto add = [&facts](const char* name, std::string value) {
    facts.lines.emplace_back(name, text_cell(std::move(value)));
  };
  add("Calls", spaced(report.total.calls) + ", " + spaced(report.total.errors) +
                   " without a complete, successful answer");
  add("Tokens", spaced(report.total.input) + " input, " + spaced(report.total.output) +
                    " output, " + spaced(report.total.cache_read) + " cache read, " +
                    spaced(report.total.cache_write) + " cache write");
  std::string by_scope;
  for (std::size_t scope = 0; scope < kScopes; ++scope) {
    by_scope += (scope > 0 ? ", " : "") + spaced(scopes[scope]) + " " + scope_name(scope);
  }
  add("Calls by scope", by_scope);
  add("Processed in", known_regions(report));
  const std::int64_t unrecorded = unrecorded_denials(report);
  add("Policy", spaced(report.calls_with_decision("deny")) + " denied, " +
                    spaced(report.calls_with_decision("flag")) + " flagged" +
                    (unrecorded > 0 ? ", and denials of calls that become no record" : ""));
  add("CloudTrail", coverage_summary(report));
  add("Alarms", spaced(static_cast<std::int64_t>(report.alarms.size())));
  add("Integrity", integrity_summary(report.integrity));
  return facts;
}

}  // namespace

Section head_section(const Report& report) {
  Facts facts;
  facts.lines = {
      {"Source Region", text_cell(report.store.region)},
      {"AWS account", text_or_unknown(report.store.account_id)},
      {"Host of the agent that records", name_cell(report.store.host)},
      {"Store", name_cell(report.store_path)},
      {"Store since", text_or_unknown(report.store.created_at)},
      {"Period (UTC, end excluded)", text_cell(span_text(report.period))},
      {"Records", text_cell(spaced(report.total.calls) + " of " + spaced(report.records_in_store) +
                            " in the store")},
      {"Made", text_cell(time_or_nothing(report.made_at_us) + " by invlog " + report.version)}};
  for (const storage::HostChange& change : report.host_changes) {
    const std::string until =
        change.at_us == 0 ? "" : "until " + time_or_nothing(change.at_us) + ", ";
    facts.lines.push_back({"Host " + until + "up to record " + spaced(change.first_record - 1),
                           name_cell(change.from)});
  }
  Section section{"summary", "Summary", {}};
  section.blocks.push_back(std::move(facts));
  if (report.taken.concerns_period) {
    section.blocks.push_back(Paragraph{taken_in_words(report.taken), true});
  }
  section.blocks.push_back(summary(report));
  return section;
}

Section decision_section(const Report& report) {
  Section section{"decisions", "Denied and flagged calls", {}};
  if (const std::int64_t reasons = unrecorded_denials(report); reasons > 0) {
    section.blocks.push_back(Paragraph{
        "Calls of operations that become no record were denied too: for " + spaced(reasons) +
        (reasons == 1 ? " reason" : " different reasons") +
        ", each for one call or more. They are the events policy-denied, and in no table but that "
        "of all events."});
  }
  if (report.decisions.empty()) {
    section.blocks.push_back(
        Paragraph{report.taken.concerns_period
                      ? "No recorded call of the period that is left was denied or flagged."
                      : "No recorded call of the period was denied or flagged."});
    return section;
  }
  Table table{"Decisions of the policy other than allow",
              {{"Decision"}, {"Rule"}, {"Caller"}, {"Model"}, {"Calls", true}, {"First"}, {"Last"}},
              {},
              false};
  for (const DecisionRow& row : report.decisions) {
    if (table.rows.size() == kMostRows) {
      break;
    }
    table.rows.push_back({text_cell(row.decision), name_cell(row.rule), name_cell(row.caller),
                          name_cell(row.model), number_cell(row.calls), time_cell(row.first_us),
                          time_cell(row.last_us)});
  }
  section.blocks.push_back(std::move(table));
  note_left_out(section, report.decisions.size(), kMostRows, "most frequent");
  return section;
}

namespace {

Table reconciliation_table(const Coverage& coverage) {
  Table table{"Comparisons whose span meets the period; figures of the whole span",
              {{"Made"},
               {"Events from"},
               {"Span"},
               {"Events", true},
               {"Matched", true},
               {"Unseen", true},
               {"Still listed", true},
               {"Missing", true},
               {"Not allowed", true}},
              {},
              false};
  const std::size_t skipped =
      coverage.reconciliations.size() - std::min(coverage.reconciliations.size(), kMostRows);
  for (std::size_t at = skipped; at < coverage.reconciliations.size(); ++at) {
    const ReconciliationRow& row = coverage.reconciliations[at];
    table.rows.push_back(
        {time_cell(row.at_us), name_cell(row.source), text_cell(span_text(row.span)),
         number_cell(row.events), number_cell(row.matched), number_cell(row.unseen),
         number_cell(row.listed), number_cell(row.missing), number_cell(row.outside)});
  }
  return table;
}

void add_unseen(Section& section, const Coverage& coverage) {
  if (coverage.unseen_found() == 0) {
    return;
  }
  section.blocks.push_back(
      Paragraph{calls_text(coverage.unseen_found()) +
                    " went past the agent, so that no record has a prompt or an answer.",
                true});
  if (coverage.unseen_gone > 0) {
    section.blocks.push_back(Paragraph{
        still_listed(coverage) +
        ". Retention took the rows of the others, or their records turned up since. Comparing that "
        "time again finds what the store still has records to compare with."});
  }
  if (coverage.unseen.empty()) {
    return;
  }
  Table table{"Calls of the period that CloudTrail knows and this agent never saw",
              {{"Principal"}, {"Source address"}, {"Model"}, {"Calls", true}, {"First"}, {"Last"}},
              {},
              false};
  for (const UnseenRow& row : coverage.unseen) {
    if (table.rows.size() == kMostRows) {
      break;
    }
    table.rows.push_back({name_cell(row.principal), name_cell(row.source_address),
                          name_cell(row.model), number_cell(row.calls), time_cell(row.first_us),
                          time_cell(row.last_us)});
  }
  section.blocks.push_back(std::move(table));
  note_left_out(section, coverage.unseen.size(), kMostRows, "most frequent");
}

void add_comparison(Section& section, const Coverage& coverage) {
  Facts facts;
  facts.lines = {{"Compared", text_cell(spans_text(coverage.covered))},
                 {"Not compared", text_cell(spans_text(coverage.gaps))},
                 {"Records with an event", number_cell(coverage.with_event)},
                 {"Records without one, though compared", number_cell(coverage.without_event)},
                 {"Records too recent for an event", number_cell(coverage.not_yet)},
                 {"Records that need none: refused here, cut before the service's answer, or not "
                  "logged by default",
                  number_cell(coverage.none_expected)},
                 {"Records outside the compared spans", number_cell(coverage.not_compared)},
                 {"Processed where it was not allowed", number_cell(coverage.outside)}};
  section.blocks.push_back(std::move(facts));
  section.blocks.push_back(reconciliation_table(coverage));
  note_left_out(section, coverage.reconciliations.size(), kMostRows, "newest");
}

void add_verification(Section& section, const storage::VerifyReport& report) {
  const auto count = [](std::uint64_t number, const char* noun = "") {
    return spaced(static_cast<std::int64_t>(number)) + noun +
           (*noun == '\0' || number == 1 ? "" : "s");
  };
  if (report.problems.empty()) {
    section.blocks.push_back(
        Paragraph{"The whole store was verified for this report and is whole: " +
                  count(report.records, " record") + " and " + count(report.segments, " segment") +
                  " (" + count(report.closed_segments) +
                  " closed) against their checksums, digests and the chain; " +
                  count(report.body_bytes) + " bytes of bodies were read back."});
    return;
  }
  section.blocks.push_back(
      Paragraph{"The whole store was verified for this report and is NOT whole: " +
                    count(report.problems.size(), " problem") + ".",
                true});
  Table table{"What verification found", {{"Where"}, {"What"}}, {}, false};
  for (const storage::VerifyProblem& problem : report.problems) {
    if (table.rows.size() == kMostRows) {
      break;
    }
    table.rows.push_back({text_cell(problem.where), text_cell(problem.what)});
  }
  section.blocks.push_back(std::move(table));
  note_left_out(section, report.problems.size(), kMostRows, "first");
}

Table event_table(const std::string& caption, const std::vector<EventRow>& events) {
  Table table{caption, {{"Time"}, {"Event"}, {"Records", true}, {"Details"}}, {}, false};
  for (std::size_t at = events.size() - std::min(events.size(), kMostRows); at < events.size();
       ++at) {
    const EventRow& event = events[at];
    table.rows.push_back({time_cell(event.at_us), text_cell(event.kind),
                          event.records ? number_cell(*event.records) : Cell{},
                          event.details.empty() ? Cell{} : name_cell(event.details)});
  }
  return table;
}

}  // namespace

Section coverage_section(const Report& report) {
  Section section{"coverage", "Coverage against CloudTrail", {}};
  const Coverage& coverage = report.coverage;
  if (coverage.reconciliations.empty()) {
    section.blocks.push_back(Paragraph{
        "Not compared: the records of this period were not compared with CloudTrail. Nothing can "
        "be said here about calls that went past the agent."});
  } else {
    if (coverage.outside > 0) {
      section.blocks.push_back(Paragraph{calls_text(coverage.outside) +
                                             " of the period ran, according to CloudTrail, "
                                             "in a Region where that was not allowed.",
                                         true});
    }
    add_comparison(section, coverage);
  }
  add_unseen(section, coverage);
  return section;
}

Section integrity_section(const Report& report) {
  const IntegrityFacts& facts = report.integrity;
  Section section{"integrity", "Integrity of the store", {}};
  if (facts.verified) {
    add_verification(section, *facts.verified);
  } else {
    section.blocks.push_back(
        Paragraph{"The store was not verified for this report. invlog verify, or invlog report "
                  "--verify, checks every checksum, every digest and the chain."});
  }
  Facts lines;
  lines.lines = {
      {"Segments", text_cell(spaced(facts.segments) + ", " + spaced(facts.closed_segments) +
                             " of them closed")},
      {"Last closed segment",
       text_cell(facts.last_segment == 0 ? "none"
                                         : std::to_string(facts.last_segment) + ", closed " +
                                               time_or_nothing(facts.last_closed_us))},
      {"Chain head", facts.chain_head.empty() ? text_cell("none") : name_cell(facts.chain_head)},
      {"Records that no digest covers yet", number_cell(facts.records_without_digest)},
      {"Records taken away by retention",
       report.taken.last_record == 0
           ? text_cell("none")
           : text_cell("those up to record " + spaced(report.taken.last_record))},
      {"Events since the store's birth", number_cell(facts.events)}};
  section.blocks.push_back(std::move(lines));
  return section;
}

namespace {

std::string gone_events_text(const TakenByRetention& taken) {
  return "Retention took records 1 to " + spaced(taken.last_record) +
         " since the store's birth. With them went the events of refusals and denials that became "
         "no record (call-refused, policy-denied, proxy-flagged, proxy-refused)" +
         (taken.untold > 0 ? ", and older events of retention itself, which told of " +
                                 spaced(taken.untold) + " of these records."
                           : ".");
}

}  // namespace

Section event_section(const Report& report) {
  Section section{"events", "Retention, erasures and other events", {}};
  if (report.taken.concerns_period) {
    section.blocks.push_back(Paragraph{gone_events_text(report.taken)});
  }
  if (report.event_kinds.empty()) {
    section.blocks.push_back(Paragraph{"The store has no event of this period."});
    return section;
  }
  if (!report.alarms.empty()) {
    section.blocks.push_back(Paragraph{"Events that somebody has to look at: " +
                                           spaced(static_cast<std::int64_t>(report.alarms.size())) +
                                           ".",
                                       true});
    section.blocks.push_back(event_table("Alarms", report.alarms));
    note_left_out(section, report.alarms.size(), kMostRows, "newest");
  }
  if (!report.removals.empty()) {
    section.blocks.push_back(event_table("Retention and erasures", report.removals));
    note_left_out(section, report.removals.size(), kMostRows, "newest");
  }
  Table table{"All events of the period",
              {{"Event"}, {"Times", true}, {"Records", true}, {"First"}, {"Last"}},
              {},
              false};
  for (const EventKind& kind : report.event_kinds) {
    table.rows.push_back({text_cell(kind.kind), number_cell(kind.events), number_cell(kind.records),
                          time_cell(kind.first_us), time_cell(kind.last_us)});
  }
  section.blocks.push_back(std::move(table));
  return section;
}

namespace {

// "1-7, 9-12"; the last of them if there are too many.
std::string ranges_text(const std::vector<std::pair<std::int64_t, std::int64_t>>& ranges) {
  constexpr std::size_t kMostRanges = 20;
  const std::size_t left_out = ranges.size() - std::min(ranges.size(), kMostRanges);
  std::string text = left_out > 0 ? "..." : "";
  for (std::size_t i = left_out; i < ranges.size(); ++i) {
    const auto& [first, last] = ranges[i];
    text += (text.empty() ? "" : ", ") + std::to_string(first) +
            (first == last ? "" : "-" + std::to_string(last));
  }
  return text;
}

// A destination may have been pointed elsewhere.
Table place_table(const Report& report) {
  Table table{"Which records were sent where, refused ones among them",
              {{"Destination"}, {"Target"}, {"Records"}, {"Answers"}},
              {},
              false};
  for (const DeliveryRow& row : report.deliveries) {
    for (const storage::DeliveredRanges::OfTarget& place : row.places) {
      table.rows.push_back(
          {text_cell(row.state.destination),
           place.target.empty() ? text_cell("not known") : name_cell(place.target),
           text_cell(ranges_text(place.records)),
           text_cell(place.under_way ? "some are missing: those may have arrived" : "all there")});
    }
  }
  return table;
}

// "2 to s3, 1 to cloudwatch_logs", "" none.
std::string taken_undelivered_text(const Report& report) {
  std::string text;
  for (const DeliveryRow& row : report.deliveries) {
    if (row.taken_undelivered > 0) {
      text += (text.empty() ? "" : ", ") + spaced(row.taken_undelivered) + " to " +
              row.state.destination;
    }
  }
  return text;
}

}  // namespace

Section delivery_section(const Report& report) {
  Section section{"deliveries", "Deliveries", {}};
  if (report.deliveries.empty()) {
    section.blocks.push_back(
        Paragraph{"Nothing was delivered from this store: the records are on the host only."});
    return section;
  }
  if (const std::string taken = taken_undelivered_text(report); !taken.empty()) {
    section.blocks.push_back(
        Paragraph{"Retention took records that were never delivered (dead letters, or "
                  "keep_undelivered = false, or the destination was not configured): " +
                      taken + ".",
                  true});
  }
  Table table{"Destinations, as they are now",
              {{"Destination"},
               {"Target of the last delivery"},
               {"Dealt with up to record", true},
               {"Waiting", true},
               {"Dead letters", true},
               {"Taken undelivered", true},
               {"Last success"},
               {"Last error"}},
              {},
              false};
  for (const DeliveryRow& row : report.deliveries) {
    table.rows.push_back(
        {text_cell(row.state.destination), name_cell(row.state.target),
         number_cell(row.state.cursor), number_cell(row.waiting), number_cell(row.dead_letters),
         number_cell(row.taken_undelivered),
         text_cell(row.state.last_success_us == 0 ? "never"
                                                  : time_or_nothing(row.state.last_success_us)),
         text_cell(row.state.last_error.empty() ? "none" : row.state.last_error)});
  }
  section.blocks.push_back(std::move(table));
  section.blocks.push_back(place_table(report));
  return section;
}

Section reading_section() {
  Section section{"reading", "How to read this", {}};
  for (const char* text :
       {"Times are UTC. A call counts in the period in which it arrived at the agent.",
        "An error is a call without a complete, successful answer: denied, refused by the service, "
        "cut off.",
        "Scope in-region: processed in the source Region only; geographic: in one of the named "
        "Regions; global: in any commercial Region; unknown: nobody could say when the call was "
        "made. From the prefix of an id alone only that is concluded which AWS documents of all "
        "its "
        "profiles: global., jp. and au., and that us., apac. and us-gov. are geographic.",
        "Prompts and answers are not part of this report; none was read to make it, unless it says "
        "that the store was verified. The limits of retention are configured and not kept in the "
        "store. Up to which record it took is kept; what went with these records is not: what "
        "CloudTrail said of them, and events of refusals and denials that became no record."}) {
    section.blocks.push_back(Paragraph{text});
  }
  return section;
}

}  // namespace invlog::residency
