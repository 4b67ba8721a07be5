#include "agent/residency/record_totals.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "agent/residency/trail_event.h"
#include "storage/schema.h"
#include "storage/statement.h"
#include "storage/time_text.h"

namespace invlog::residency {
namespace {

// A day's row is made for each day of a period up to this long; of a longer one only for days
// with calls.
constexpr std::int64_t kMostEmptyDays = 4000;
constexpr std::uint64_t kProgressStep = 4096;

// Column by column of the statement in select_sql().
enum SelectedColumn {
  id,
  started_at,
  model,
  profile,
  scope,
  caller,
  decision,
  inference_region,
  destinations,
  input,
  output,
  cache_read,
  cache_write,
  failed,
  has_request_id,
  status,
  outcome,
  operation,
  rule,
  request_truncated,
  said_not_sent,
  trail_region,
  trail_outside
};

// Label numbers; processed_in below 0 is a text of trail's.
struct Key {
  std::int64_t model, profile, scope, caller, decision, destinations, processed_in;
  bool not_sent;
  bool operator==(const Key&) const = default;
};

struct KeyHash {
  std::size_t operator()(const Key& key) const {
    std::uint64_t hash = 0;
    for (const std::int64_t part :
         {key.model, key.profile, key.scope, key.caller, key.decision, key.destinations,
          key.processed_in, std::int64_t{key.not_sent}}) {
      hash = (hash ^ static_cast<std::uint64_t>(part)) * 0x9e3779b97f4a7c15u;
      hash ^= hash >> 29;
    }
    return hash;
  }
};

struct Sums {
  Volume volume;
  std::int64_t outside = 0;
};

std::string select_sql(bool with_destinations, bool with_trail) {
  return std::string(
             "SELECT id, started_at, model, profile, scope, caller, decision, inference_region, ") +
         (with_destinations ? "destinations" : "NULL") +
         ", input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, "
         "error IS NOT NULL OR coalesce(status, 0) >= 400 OR "
         "outcome IS NOT (SELECT id FROM label WHERE text = 'complete'), "
         "request_id IS NOT NULL, status, outcome, operation, "
         "CASE WHEN decision IN (SELECT id FROM label WHERE text IN ('deny', 'flag')) AND "
         "json_valid(details) THEN details ->> '$.rule' END, flags & 8, "
         "outcome IS NOT (SELECT id FROM label WHERE text = 'complete') AND "
         "CASE WHEN json_valid(details) THEN details ->> '$.sent' IS 0 END, " +
         (with_trail ? "trail.region, trail.outside FROM record "
                       "LEFT JOIN trail ON trail.record = record.id "
                     : "NULL, 0 FROM record ") +
         "WHERE started_at >= ?1 AND started_at < ?2";
}

class RecordTotals {
 public:
  RecordTotals(sqlite3* connection, Report& report) : connection_(connection), report_(report) {
    for (const char* name : {"allow", "deny", "flag"}) {
      storage::Statement select(connection, "SELECT id FROM label WHERE text = ?1");
      if (select.bind_text(1, name).step()) {
        decisions_[select.integer(0)] = name;
      }
    }
  }

  void add(const storage::Statement& row) {
    const Key key = key_of(row);
    const Volume volume = volume_of(row);
    Sums& sums = groups_[key];
    sums.volume.add(volume);
    sums.outside += row.integer(trail_outside) != 0 ? 1 : 0;
    report_.total.add(volume);
    add_to_day(row, key, volume);
    const std::string_view decision = decision_of(key.decision);
    if (decision == "deny" || decision == "flag") {
      add_decision(row, key);
    }
    compare(row);
  }

  void finish() {
    write_usage();
    write_flows();
    write_days();
    write_decisions();
  }

 private:
  Key key_of(const storage::Statement& row) {
    Key key{row.integer(model),
            row.integer(profile),
            row.integer(scope),
            row.integer(caller),
            row.integer(decision),
            row.integer(destinations),
            row.integer(inference_region),
            was_not_sent(row)};
    if (key.processed_in == 0 && !row.is_null(trail_region)) {
      const auto [found, added] =
          trail_regions_.try_emplace(std::string(row.bytes(trail_region)),
                                     -static_cast<std::int64_t>(trail_regions_.size()) - 1);
      if (added) {
        labels_[found->second] = found->first;
      }
      key.processed_in = found->second;
    }
    return key;
  }

  // No byte of it went to the service: the record says so, or, of an older invlog, it was refused
  // here or its client left before the whole request was there. What CloudTrail knows did go,
  // whatever the record says.
  bool was_not_sent(const storage::Statement& row) {
    if (!row.is_null(trail_region)) {
      return false;
    }
    const std::string_view judged = decision_of(row.integer(decision));
    const std::string& ended = label(row.integer(outcome));
    const bool cut = ended == "client-closed" || ended == "interrupted";
    return row.integer(said_not_sent) != 0 || judged == "deny" || ended == "denied" ||
           ended == "error" || (judged.empty() && cut && row.integer(request_truncated) != 0);
  }

  static Volume volume_of(const storage::Statement& row) {
    return {1,
            row.integer(failed) != 0 ? 1 : 0,
            row.integer(input),
            row.integer(output),
            row.integer(cache_read),
            row.integer(cache_write)};
  }

  std::string_view decision_of(std::int64_t number) const {
    const auto found = decisions_.find(number);
    return found == decisions_.end() ? std::string_view{} : found->second;
  }

  void add_to_day(const storage::Statement& row, const Key& key, const Volume& volume) {
    const std::int64_t day = storage::utc_day(row.integer(started_at));
    DayRow& sums = days_[day];
    sums.volume.add(volume);
    const std::string_view decision = decision_of(key.decision);
    ++sums.calls_by_scope[scope_index(label(key.scope), key.not_sent)];
    sums.flagged += decision == "flag" ? 1 : 0;
  }

  void add_decision(const storage::Statement& row, const Key& key) {
    const std::int64_t at = row.integer(started_at);
    DecisionRow& sums =
        decided_[{key.decision, std::string(row.bytes(rule)), key.caller, key.model}];
    sums.first_us = sums.calls == 0 ? at : std::min(sums.first_us, at);
    sums.last_us = sums.calls == 0 ? at : std::max(sums.last_us, at);
    ++sums.calls;
  }

  void compare(const storage::Statement& row) {
    Coverage& coverage = report_.coverage;
    if (!row.is_null(trail_region)) {
      ++coverage.with_event;
      coverage.outside += row.integer(trail_outside) != 0 ? 1 : 0;
      return;
    }
    const std::int64_t at = row.integer(started_at);
    const auto within = [at](const std::vector<Period>& spans) {
      return std::any_of(spans.begin(), spans.end(), [at](const Period& span) {
        return at >= span.from_us && at < span.until_us;
      });
    };
    if (!within(coverage.covered)) {
      ++coverage.not_compared;
    } else if (should_have_event(row.integer(has_request_id) != 0, row.integer(status),
                                 label(row.integer(outcome)), label(row.integer(operation)))) {
      ++(within(coverage.settled) ? coverage.without_event : coverage.not_yet);
    } else {
      ++coverage.none_expected;
    }
  }

  // "" for 0: unknown.
  const std::string& label(std::int64_t number) {
    const auto [found, added] = labels_.try_emplace(number);
    if (added && number > 0) {
      storage::Statement select(connection_, "SELECT text FROM label WHERE id = ?1");
      if (select.bind(1, number).step()) {
        found->second = select.bytes(0);
      }
    }
    return found->second;
  }

  void write_usage() {
    std::map<std::tuple<std::string, std::string, std::string, std::string>, Volume> sums;
    for (const auto& [key, group] : groups_) {
      sums[{label(key.model), label(key.profile), label(key.scope), label(key.caller)}].add(
          group.volume);
    }
    for (const auto& [names, volume] : sums) {
      const auto& [model, profile, scope, caller] = names;
      report_.usage.push_back({model, profile, scope, caller, volume});
    }
    most_calls_first(report_.usage, [](const UsageRow& row) { return row.volume.calls; });
  }

  void write_flows() {
    std::map<std::tuple<std::string, std::string, std::string, std::string, bool>, Sums> sums;
    for (const auto& [key, group] : groups_) {
      Sums& sum = sums[{label(key.profile), label(key.scope), label(key.destinations),
                        label(key.processed_in), key.not_sent}];
      sum.volume.add(group.volume);
      sum.outside += group.outside;
    }
    for (const auto& [names, sum] : sums) {
      const auto& [profile, scope, destinations, processed_in, not_sent] = names;
      report_.flows.push_back(
          {profile, scope, destinations, processed_in, not_sent, sum.volume, sum.outside});
    }
    most_calls_first(report_.flows, [](const FlowRow& row) { return row.volume.calls; });
  }

  void write_days() {
    const Period& period = report_.period;
    if (period.until_us > period.from_us) {
      const std::int64_t first = storage::utc_day(period.from_us);
      const std::int64_t last = storage::utc_day(period.until_us - 1);
      for (std::int64_t day = first; last - first < kMostEmptyDays && day <= last; ++day) {
        days_.try_emplace(day);
      }
    }
    for (auto& [day, sums] : days_) {
      sums.day = day;
      report_.days.push_back(sums);
    }
  }

  void write_decisions() {
    for (auto& [names, row] : decided_) {
      const auto& [decision, rule, caller, model] = names;
      row.decision = label(decision);
      row.rule = rule;
      row.caller = label(caller);
      row.model = label(model);
      report_.decisions.push_back(row);
    }
    std::sort(report_.decisions.begin(), report_.decisions.end(),
              [](const DecisionRow& left, const DecisionRow& right) {
                return std::tie(right.calls, left.decision, left.rule, left.caller, left.model) <
                       std::tie(left.calls, right.decision, right.rule, right.caller, right.model);
              });
  }

  // Equal ones stay in the order of their names.
  template <class Row, class Calls>
  static void most_calls_first(std::vector<Row>& rows, Calls calls) {
    std::stable_sort(rows.begin(), rows.end(), [&calls](const Row& left, const Row& right) {
      return calls(left) > calls(right);
    });
  }

  sqlite3* connection_;
  Report& report_;
  std::unordered_map<Key, Sums, KeyHash> groups_;
  std::map<std::int64_t, DayRow> days_;
  std::map<std::tuple<std::int64_t, std::string, std::int64_t, std::int64_t>, DecisionRow> decided_;
  std::map<std::int64_t, std::string> decisions_;
  std::unordered_map<std::int64_t, std::string> labels_;
  std::unordered_map<std::string, std::int64_t> trail_regions_;
};

}  // namespace

void add_up_records(sqlite3* connection, Report& report, const ReportProgress& progress) {
  const std::int64_t first = storage::single_integer(connection, "SELECT min(id) FROM record");
  const std::int64_t last = storage::single_integer(connection, "SELECT max(id) FROM record");
  storage::Statement select(connection, select_sql(storage::has_destinations(connection),
                                                   storage::has_trail(connection)));
  select.bind(1, report.period.from_us).bind(2, report.period.until_us);
  RecordTotals totals(connection, report);
  std::uint64_t rows = 0;
  while (select.step()) {
    totals.add(select);
    if (progress && ++rows % kProgressStep == 0) {
      progress(static_cast<std::uint64_t>(select.integer(id) - first),
               static_cast<std::uint64_t>(last - first + 1));
    }
  }
  totals.finish();
}

}  // namespace invlog::residency
