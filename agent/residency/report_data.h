// What `invlog report` says, as a plain value: gathered in one look at the store, written as
// Markdown, HTML, JSON or CSV by others.
//
// Why not SQL views: over millions of records it is label numbers that are added up, in one pass
// that reads no body and looks up labels afterwards (FORMAT.md, "Tables").
//
// Thread: that of the connection. Errors: StoreError. An empty text means "unknown" everywhere.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/delivered_ranges.h"
#include "storage/delivery_ledger.h"
#include "storage/host_history.h"
#include "storage/reader.h"
#include "storage/verify.h"

namespace invlog::residency {

// From `from_us` to before `until_us`, Unix time in µs.
struct Period {
  std::int64_t from_us = 0, until_us = 0;
  bool operator==(const Period&) const = default;
};

// An error is a call without a complete, successful response, as for `invlog usage`.
struct Volume {
  std::int64_t calls = 0, errors = 0;
  std::int64_t input = 0, output = 0, cache_read = 0, cache_write = 0;  // tokens
  void add(const Volume& other);
  bool operator==(const Volume&) const = default;
};

// Calls that have all of this in common.
struct UsageRow {
  std::string model, profile, scope, caller;
  Volume volume;
};

// Where calls may have been processed, and were as far as is known.
struct FlowRow {
  std::string profile;       // inference profile; "": the call named none
  std::string scope;         // in-region, geographic, global
  std::string destinations;  // as records have it: Regions with commas between, "*"
  std::string processed_in;  // Region, from the answer or CloudTrail
  bool not_sent = false;     // refused or given up before a byte of it left the host
  Volume volume;
  std::int64_t outside = 0;  // processed where it was not allowed to be
};

enum class ScopeIndex { in_region, geographic, global, unknown, not_sent };
inline constexpr std::size_t kScopes = 5;
// "in-region", ..., "unknown", "not sent".
const char* scope_name(std::size_t index);
// Of a call: one that was not sent counts as that, whatever its scope.
std::size_t scope_index(const std::string& scope, bool not_sent);

struct DayRow {
  std::int64_t day = 0;  // since 1970-01-01 UTC
  Volume volume;
  std::array<std::int64_t, kScopes> calls_by_scope{};  // adds up to volume.calls
  std::int64_t flagged = 0;
};

struct DecisionRow {
  std::string decision, rule, caller, model;
  std::int64_t calls = 0, first_us = 0, last_us = 0;
};

struct ReconciliationRow {
  std::int64_t at_us = 0;
  std::string source;
  Period span;
  std::int64_t events = 0, matched = 0, unseen = 0, missing = 0, outside = 0;
  std::int64_t listed = 0;  // of the unseen: that still have their row
};

// Calls in the period that CloudTrail knows and the agent never saw.
struct UnseenRow {
  std::string principal, source_address, model;
  std::int64_t calls = 0, first_us = 0, last_us = 0;
};

struct Coverage {
  std::vector<ReconciliationRow> reconciliations;  // those whose span meets the period
  std::vector<Period> covered, gaps;               // together they are the period
  // The covered spans without their last 90 minutes, whose events may not have been there yet.
  std::vector<Period> settled;
  std::int64_t with_event = 0;  // records of the period
  // Records in a settled span that went to the service, and of which CloudTrail says nothing, but
  // would; and such that only a covered span has.
  std::int64_t without_event = 0, not_yet = 0;
  // Records in a covered span that CloudTrail need not know: refused here, cut before an answer
  // with a request id came, or of an operation that it does not log by default.
  std::int64_t none_expected = 0;
  std::int64_t not_compared = 0;  // records outside the covered spans
  std::int64_t outside = 0;
  std::vector<UnseenRow> unseen;
  std::int64_t unseen_calls = 0;  // what `unseen` adds up to
  // That comparisons found besides, and whose rows are gone: at least so many. Their times are
  // known as far as which comparison it was; that may reach beyond the period.
  std::int64_t unseen_gone = 0;
  bool gone_may_be_beside = false;

  std::int64_t unseen_found() const { return unseen_calls + unseen_gone; }
};

// What retention took from the store.
struct TakenByRetention {
  std::int64_t last_record = 0;  // records 1 to this one; 0: none
  std::int64_t at_us = 0;        // when the last of them went
  // Calls that began from then on and what happened from then on are all there.
  std::int64_t complete_from_us = 0;
  bool concerns_period = false;  // the period begins before that
  // Of the records: so many whose events went, too; all of these events were in the period.
  std::int64_t untold = 0;
  bool untold_in_period = false;
};

// `records` of retention: those whose events are gone, too, if all of these were in the period.
struct EventKind {
  std::string kind;
  std::int64_t events = 0, records = 0, first_us = 0, last_us = 0;
};

struct EventRow {
  std::int64_t at_us = 0;
  std::string kind;
  std::optional<std::int64_t> records;
  std::string details;  // JSON; of retention and erasures only why
};

struct IntegrityFacts {
  std::int64_t segments = 0, closed_segments = 0, last_segment = 0, last_closed_us = 0;
  std::int64_t events = 0;  // since the store's birth, those that are gone among them
  std::int64_t records_without_digest = 0;
  std::string chain_head;  // hex
  std::optional<storage::VerifyReport> verified;
};

struct DeliveryRow {
  storage::DeliveryState state;
  std::int64_t waiting = 0, dead_letters = 0;
  std::int64_t taken_undelivered = 0;  // records that retention took before they arrived there
  std::vector<storage::DeliveredRanges::OfTarget> places;  // what was sent where
};

struct Report {
  std::string store_path, version;
  storage::StoreInformation store;
  std::vector<storage::HostChange> host_changes;  // of the whole store
  Period period;
  std::int64_t made_at_us = 0;
  std::int64_t records_in_store = 0;
  TakenByRetention taken;  // all that follows is of what is left
  Volume total;
  std::vector<UsageRow> usage;         // most calls first, as all that follows
  std::vector<FlowRow> flows;          // each call is in one
  std::vector<DayRow> days;            // each day of the period in order, empty ones too
  std::vector<DecisionRow> decisions;  // deny and flag
  Coverage coverage;
  std::vector<EventKind> event_kinds;  // of the period, by name
  std::vector<EventRow> alarms;        // of the period, oldest first
  std::vector<EventRow> removals;      // retention and erasures
  IntegrityFacts integrity;
  std::vector<DeliveryRow> deliveries;

  std::int64_t calls_with_decision(std::string_view decision) const;
};

using ReportProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// All but `store_path`, `version`, `made_at_us` and `integrity.verified`. A snapshot of that
// moment, since its numbers are to add up. It is held until this returns, and a writer's log cannot
// be emptied meanwhile: some seconds per million records.
Report gather_report(storage::Reader& reader, const Period& period, const ReportProgress& progress);

// Spans put together where they meet, cut to `period`, in order; and what is left of it.
std::vector<Period> merged_spans(std::vector<Period> spans, const Period& period);
std::vector<Period> gaps_between(const std::vector<Period>& merged, const Period& period);

}  // namespace invlog::residency
