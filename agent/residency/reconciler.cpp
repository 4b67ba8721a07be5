#include "agent/residency/reconciler.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "exporters/aws/endpoints.h"
#include "storage/json_writer.h"
#include "storage/uuid.h"

namespace invlog::residency {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::int64_t kEndOfTime = std::numeric_limits<std::int64_t>::max();
// Rows that are made ready to be written at a time.
constexpr std::size_t kPortion = 10'000;
// An agent that has nothing to write looks once a second whether it is to make room.
constexpr std::chrono::milliseconds kRoomWait{100};
constexpr int kMostRoomWaits = 30;

struct ByRequest {
  bool operator()(const CompactEvent& event, const CompactId& id) const {
    return event.request < id;
  }
  bool operator()(const CompactId& id, const CompactEvent& event) const {
    return id < event.request;
  }
};

bool earlier(const CompactEvent& left, const CompactEvent& right) {
  return left.at_us != right.at_us ? left.at_us < right.at_us : left.event < right.event;
}

bool lists(std::string_view list, std::string_view wanted) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (list.substr(0, comma) == wanted) {
      return true;
    }
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

std::string request_id_text(const storage::ComparedRecord& record) {
  return record.request_id_is_uuid ? storage::uuid_text(record.request_id)
                                   : std::string(record.request_id);
}

}  // namespace

std::optional<bool> processed_outside(std::string_view processed, std::string_view source_region,
                                      std::string_view destinations, std::string_view scope) {
  if (processed == source_region) {
    return false;  // it has not left
  }
  if (destinations == "*" || (destinations.empty() && scope == "global")) {
    return aws::partition_of(processed) != aws::partition_of(source_region);
  }
  if (!destinations.empty()) {
    return !lists(destinations, processed);
  }
  return scope == "in-region" ? std::optional(true) : std::nullopt;
}

Reconciler::Reconciler(storage::TrailLedger& ledger, const TrailSource& source,
                       ReconcilerOptions options)
    : ledger_(ledger),
      source_(source),
      options_(std::move(options)),
      known_from_us_(ledger.known_from_us()) {}

// A call of this store's, whenever it was.
bool Reconciler::concerns(const TrailEvent& event) const {
  const bool other_account =
      !options_.account.empty() && (!event.account.empty() || !event.caller_account.empty()) &&
      event.account != options_.account && event.caller_account != options_.account;
  return event.invocation && event.region == options_.region && !other_account;
}

bool Reconciler::in_span(std::int64_t at_us, std::int64_t slack_us) const {
  return (!options_.since_us || at_us >= *options_.since_us - slack_us) &&
         (!options_.until_us || at_us < *options_.until_us + slack_us);
}

void Reconciler::event(const TrailEvent& event) {
  ++result_.read;
  if (event.region == options_.region && event.at_us != 0) {
    oldest_us_ = std::min(oldest_us_.value_or(event.at_us), event.at_us);
    newest_us_ = std::max(newest_us_.value_or(event.at_us), event.at_us);
  }
  if (!concerns(event) || !in_span(event.at_us, storage::TrailLedger::kSlackUs)) {
    ++result_.left_out;
    return;
  }
  if (batch_.capacity() == 0) {
    batch_.reserve(options_.batch_events);  // growing would take half as much again
  }
  batch_.push_back(compact_event(
      event, event.inference_region.empty() ? event.region : event.inference_region, pool_));
  batch_.back().counted = in_span(event.at_us);
  if (batch_.size() >= options_.batch_events) {
    join_batch(false);
  }
}

void Reconciler::problem(TrailProblem problem) {
  ++result_.problem_count;
  if (result_.problems.size() < kMostProblems) {
    result_.problems.push_back(std::move(problem));
  }
}

void Reconciler::progress(const TrailProgress& progress) {
  if (on_progress) {
    on_progress(progress);
  }
}

bool Reconciler::stopped() const {
  return on_stopped && on_stopped();
}

void Reconciler::join_batch(bool last) {
  result_.duplicates += sort_events(batch_);
  result_.duplicates += joined_.drop_known(batch_, last);
  if (batch_.empty()) {
    return;
  }
  const std::int64_t counted = std::count_if(
      batch_.begin(), batch_.end(), [](const CompactEvent& event) { return event.counted; });
  result_.events += counted;
  result_.left_out += static_cast<std::int64_t>(batch_.size()) - counted;
  std::vector<Match> changed = match_records();
  write_matches(changed);
  note_delisted();  // before rows go that are not wanted any more
  forget_seen();
  write_unseen();
  batch_.clear();
}

std::vector<Reconciler::Match> Reconciler::match_records() {
  const auto [first, last] = std::minmax_element(
      batch_.begin(), batch_.end(),
      [](const auto& left, const auto& right) { return left.at_us < right.at_us; });
  std::vector<Match> changed;
  ledger_.each_record(first->at_us, last->at_us, [&](const storage::ComparedRecord& record) {
    match_record(record, changed);
    return true;
  });
  return changed;
}

void Reconciler::match_record(const storage::ComparedRecord& record, std::vector<Match>& changed) {
  CompactId id;
  if (record.request_id.empty() ||
      !find_compact_id(record.request_id, record.request_id_is_uuid, pool_, id)) {
    return;
  }
  const auto [begin, end] = std::equal_range(batch_.begin(), batch_.end(), id, ByRequest());
  if (begin == end) {
    return;
  }
  // Two events of one call: what is worse counts. If both the record and its event are beside the
  // span, another comparison has them.
  const bool record_in_span = in_span(record.started_at_us);
  auto chosen = end;
  std::optional<bool> outside;
  for (auto event = begin; event != end; ++event) {
    if (!event->counted && !record_in_span) {
      continue;
    }
    event->matched = true;
    const auto verdict = processed_outside(pool_.text(event->region), options_.region,
                                           record.destinations, record.scope);
    if (chosen == end || verdict.value_or(false)) {
      chosen = event;
      outside = verdict;
    }
  }
  if (chosen == end) {
    return;
  }
  if (chosen->counted) {
    ++regions_[chosen->region];
    result_.unknown += outside ? 0 : 1;
  }
  const bool is_outside = outside.value_or(false);
  const bool worse = is_outside && !record.trail_outside;
  if (is_outside) {
    note_outside(record, *chosen, worse);
  }
  if (!record.in_trail || worse) {
    result_.new_matched += record.in_trail || !chosen->counted ? 0 : 1;
    changed.push_back({record.id, static_cast<std::uint32_t>(chosen - batch_.begin()), is_outside});
  }
}

void Reconciler::note_outside(const storage::ComparedRecord& record, const CompactEvent& event,
                              bool is_new) {
  ++result_.outside;
  result_.new_outside += is_new ? 1 : 0;
  if (result_.outside_records.size() < options_.listed) {
    result_.outside_records.push_back(
        {record.id, event.at_us, request_id_text(record), std::string(record.model),
         std::string(pool_.text(event.region)),
         std::string(record.destinations.empty() ? options_.region : record.destinations), is_new});
  }
}

// What was outside goes first, with its alarm.
void Reconciler::write_matches(std::vector<Match>& matches) {
  const auto inside = std::stable_partition(matches.begin(), matches.end(),
                                            [](const Match& match) { return match.outside; });
  const auto outside = static_cast<std::size_t>(inside - matches.begin());
  storage::TrailLedger::Changes changes;
  if (outside > 0) {
    std::string ids = "[";
    std::map<std::string_view, std::int64_t> counts;
    for (std::size_t at = 0; at < outside; ++at) {
      if (at < kMostIds) {
        ids.append(at == 0 ? "" : ",").append(std::to_string(matches[at].record));
      }
      ++counts[pool_.text(batch_[matches[at].event].region)];
    }
    std::string regions = "{";
    for (const auto& [region, count] : counts) {
      // A name from outside: append_json_number() would not escape it.
      regions.append(regions.size() > 1 ? "," : "");
      storage::append_json_string(regions, region);
      regions.append(":").append(std::to_string(count));
    }
    std::string details = "{";
    storage::append_json_member(details, "source", source_.name());
    storage::append_json_raw(details, "regions", regions + "}");
    storage::append_json_raw(details, "records", ids + "]");
    changes.events.push_back(
        {"processed-outside", static_cast<std::int64_t>(outside), details + "}"});
  }
  for (std::size_t at = 0; at < matches.size(); ++at) {
    const CompactEvent& event = batch_[matches[at].event];
    changes.trail.push_back({matches[at].record, std::string(pool_.text(event.region)), event.at_us,
                             id_text(event.event, pool_), matches[at].outside});
    if (changes.trail.size() == kPortion || at + 1 == matches.size()) {
      ledger_.apply(changes);
      changes = {};
    }
  }
}

// What an earlier run took for unseen, because its record was not written yet.
void Reconciler::forget_seen() {
  storage::TrailLedger::Changes changes;
  ledger_.each_unseen([&](std::string_view event_id, std::string_view request_id) {
    const CompactId id = compact_id(request_id, pool_);
    const auto event = std::lower_bound(batch_.begin(), batch_.end(), id, ByRequest());
    if (event != batch_.end() && event->request == id && event->matched) {
      changes.seen_after_all.emplace_back(event_id);
    }
  });
  ledger_.apply(changes);
}

// Again with each batch: the agent's retention may have taken rows since the last one.
void Reconciler::note_delisted() {
  for (const storage::TimeSpan& span : ledger_.delisted(source_.name())) {
    delisted_.push_back(span);
  }
  std::sort(delisted_.begin(), delisted_.end(),
            [](const auto& left, const auto& right) { return left.since_us < right.since_us; });
  std::vector<storage::TimeSpan> apart;
  for (const storage::TimeSpan& span : delisted_) {
    if (apart.empty() || span.since_us > apart.back().until_us) {
      apart.push_back(span);
    } else {
      apart.back().until_us = std::max(apart.back().until_us, span.until_us);
    }
  }
  delisted_ = std::move(apart);
}

bool Reconciler::is_delisted(std::int64_t at_us) const {
  const auto later = std::upper_bound(
      delisted_.begin(), delisted_.end(), at_us,
      [](std::int64_t at, const storage::TimeSpan& span) { return at < span.since_us; });
  return later != delisted_.begin() && at_us <= std::prev(later)->until_us;
}

void Reconciler::write_unseen() {
  std::vector<const CompactEvent*> fresh;
  for (const CompactEvent& event : batch_) {
    if (!event.counted) {
      continue;
    }
    if (event.matched) {
      ++result_.matched;
    } else if (event.at_us < known_from_us_) {
      ++result_.before;
    } else {
      ++result_.unseen;
      unseen_.push_back(event);
      if (ledger_.is_unseen(id_text(event.event, pool_))) {
        continue;
      }
      if (is_delisted(event.at_us)) {
        ++result_.unlisted;
      } else {
        fresh.push_back(&event);
      }
    }
  }
  keep_earliest_unseen(false);
  result_.new_unseen += static_cast<std::int64_t>(fresh.size());
  list_unseen(fresh);
}

// Where there is not room for all, the newest, and nothing that is older than one which is left
// out: by that TrailLedger::delisted() knows those.
void Reconciler::list_unseen(std::vector<const CompactEvent*>& fresh) {
  const storage::RetentionOptions& limits = ledger_.limits();
  const auto by_id = [](const CompactEvent* left, const CompactEvent* right) {
    return left->event < right->event;
  };
  std::int64_t listed = 0;
  if (limits.capped()) {
    listed = ledger_.unseen_rows();
    listed -= ledger_.take_unseen(kEndOfTime, listed - limits.unseen_share());
  }
  const auto all = static_cast<std::int64_t>(fresh.size());
  const bool fits =
      !limits.capped() || (listed + all <= limits.unseen_share() && ledger_.has_room(all));
  if (fits) {
    std::sort(fresh.begin(), fresh.end(), by_id);
  } else {
    std::sort(fresh.begin(), fresh.end(), [](const CompactEvent* left, const CompactEvent* right) {
      return earlier(*left, *right);
    });
  }
  storage::TrailLedger::Changes changes;
  if (!fresh.empty()) {
    std::string details = "{";
    storage::append_json_member(details, "source", source_.name());
    changes.events.push_back({"calls-unseen", all, details + "}"});
  }
  const std::int64_t portion = fits ? std::int64_t{kPortion} : limits.scattered_rows();
  for (std::int64_t end = all; end > 0;) {
    const std::int64_t rows = std::min(portion, end);
    const std::int64_t room = fits ? rows : room_for(*fresh[end - rows], rows, listed);
    const auto first = fresh.begin() + (end - room), last = fresh.begin() + end;
    std::sort(first, last, by_id);
    for (auto event = first; event != last; ++event) {
      changes.unseen.push_back(unseen_call(**event, pool_));
    }
    ledger_.apply(std::exchange(changes, {}));
    listed += room;
    end -= room;
    if (room < rows) {
      result_.unlisted += end;
      ledger_.take_unseen(fresh[end - 1]->at_us, kEndOfTime);
      break;
    }
  }
  tell_waiting({});
}

// For how many of so many rows, the first of which is `oldest`. What is older makes room for them:
// theirs is the place of its rows, whether that frees pages or not.
std::int64_t Reconciler::room_for(const CompactEvent& oldest, std::int64_t rows,
                                  std::int64_t& listed) {
  const std::int64_t left = std::max<std::int64_t>(0, ledger_.limits().unseen_share() - listed);
  const std::int64_t room = left > 0 && wait_for_room(rows) ? std::min(rows, left) : 0;
  const std::int64_t taken = ledger_.take_unseen(oldest.at_us, rows - room);
  listed -= taken;
  return room + taken;
}

bool Reconciler::wait_for_room(std::int64_t rows) {
  bool room = ledger_.has_room(rows);
  for (int waits = 0; !room && !full_ && !stopped(); ++waits) {
    full_ = !options_.wait || waits == kMostRoomWaits;
    if (!full_) {
      tell_waiting(kRoomWait);
      options_.wait(kRoomWait);
      room = ledger_.has_room(rows);
    }
  }
  return room;
}

void Reconciler::tell_waiting(std::chrono::milliseconds pause) const {
  if (on_waiting) {
    on_waiting(pause);
  }
}

void Reconciler::keep_earliest_unseen(bool last) {
  if (unseen_.size() > options_.listed) {
    const auto end = unseen_.begin() + static_cast<std::ptrdiff_t>(options_.listed);
    std::nth_element(unseen_.begin(), end, unseen_.end(), earlier);
    unseen_.erase(end, unseen_.end());
    unseen_.shrink_to_fit();
  }
  if (last) {
    std::sort(unseen_.begin(), unseen_.end(), earlier);
    for (const CompactEvent& event : unseen_) {
      result_.unseen_calls.push_back(unseen_call(event, pool_));
    }
  }
}

// What files and objects tell begins with their oldest event, however early `since_us` is, and ends
// with their newest: without one of the Region they tell nothing.
void Reconciler::find_span() {
  auto since = options_.since_us ? options_.since_us : oldest_us_;
  if (since && !source_.complete_until_us()) {
    since = oldest_us_ ? std::optional(std::max(*since, *oldest_us_)) : std::nullopt;
  }
  auto until = options_.until_us ? options_.until_us : newest_us_;
  const auto known_until = source_.complete_until_us() ? source_.complete_until_us() : newest_us_;
  if (until && known_until && *known_until < *until) {
    until = known_until;
    result_.ends_us = *known_until;
  }
  if (since && until && *since <= *until) {
    result_.since_us = *since;
    result_.until_us = *until;
  }
}

void Reconciler::find_missing() {
  // Events have whole seconds.
  const std::int64_t end =
      std::min(options_.until_us.value_or(kEndOfTime), result_.until_us + kSecondUs);
  const std::int64_t complete_until =
      source_.complete_until_us().value_or(newest_us_.value_or(result_.until_us));
  ledger_.each_record(result_.since_us, end, [&](const storage::ComparedRecord& record) {
    if (record.started_at_us < result_.since_us || record.started_at_us >= end ||
        !should_have_event(!record.request_id.empty(), record.status, record.outcome,
                           record.operation)) {
      return true;
    }
    ++result_.records;
    if (record.in_trail) {
      return true;
    }
    if (record.started_at_us > complete_until - kEventDelayUs) {
      ++result_.not_yet;
      return true;
    }
    ++result_.missing;
    if (result_.missing_records.size() < options_.listed) {
      result_.missing_records.push_back({record.id, record.started_at_us, request_id_text(record),
                                         std::string(record.operation), std::string(record.model),
                                         record.status});
    }
    return true;
  });
}

Reconciliation Reconciler::finish() {
  join_batch(true);
  batch_.shrink_to_fit();
  find_span();
  if (result_.until_us != 0) {
    find_missing();
  }
  // What was not read is not compared, whatever its time is.
  if (result_.until_us != 0 && result_.problem_count == 0) {
    ledger_.put_reconciliation({source_.name(), result_.since_us, result_.until_us, result_.events,
                                result_.matched, result_.unseen, result_.missing, result_.outside});
  }
  keep_earliest_unseen(true);
  for (const auto& [region, count] : regions_) {
    result_.regions[std::string(pool_.text(region))] += count;
  }
  return std::move(result_);
}

}  // namespace invlog::residency
