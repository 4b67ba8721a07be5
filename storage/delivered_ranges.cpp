#include "storage/delivered_ranges.h"

#include <algorithm>

#include "storage/schema.h"
#include "storage/statement.h"

namespace invlog::storage {
namespace {

using Spans = std::vector<std::pair<std::int64_t, std::int64_t>>;

// Those that meet become one.
Spans merged(Spans spans) {
  std::sort(spans.begin(), spans.end());
  Spans result;
  for (const auto& [first, last] : spans) {
    if (result.empty() || first > result.back().second + 1) {
      result.emplace_back(first, last);
    } else {
      result.back().second = std::max(result.back().second, last);
    }
  }
  return result;
}

// Of a row whose columns begin with target, first, last, answered.
DeliveredRange range_of(const Statement& row) {
  return {std::string(row.bytes(0)), row.integer(1), row.integer(2), row.integer(3)};
}

}  // namespace

// What `delivery` and `delivery_reach` say.
struct DeliveredRanges::Standing {
  std::string target;
  std::int64_t cursor = 0;
  std::int64_t attempted = 0;  // the newest record of any attempt
  std::int64_t first = 1;      // that is for the destination
};

struct DeliveredRanges::Row {
  std::int64_t id = 0;
  DeliveredRange range;
};

DeliveredRanges::DeliveredRanges(sqlite3* connection, std::string_view destination)
    : connection_(connection), destination_(destination) {}

DeliveredRanges::Standing DeliveredRanges::standing() {
  Standing standing;
  Statement row(connection_,
                "SELECT target, cursor, max(cursor, planned_last) FROM delivery WHERE destination "
                "= ?1");
  if (row.bind_text(1, destination_).step()) {
    standing.target = row.bytes(0);
    standing.cursor = row.integer(1);
    standing.attempted = row.integer(2);
  }
  if (has_delivery_reach(connection_)) {
    Statement reach(connection_,
                    "SELECT coalesce(first, 1), attempted FROM delivery_reach WHERE destination = "
                    "?1");
    if (reach.bind_text(1, destination_).step()) {
      standing.first = reach.integer(0);
      standing.attempted = std::max(standing.attempted, reach.integer(1));
    }
  }
  return standing;
}

std::vector<DeliveredRange> DeliveredRanges::noted() {
  std::vector<DeliveredRange> ranges;
  if (!has_delivered_ranges(connection_)) {
    return ranges;
  }
  Statement rows(connection_,
                 "SELECT target, first, last, answered FROM delivered_range WHERE destination = ?1 "
                 "ORDER BY id");
  rows.bind_text(1, destination_);
  while (rows.step()) {
    ranges.push_back(range_of(rows));
  }
  return ranges;
}

// What was delivered, or tried, without being noted as a range. Asked for with each batch: the two
// greatest are found by an index, "+" says by which not.
std::optional<DeliveredRange> DeliveredRanges::gap(const Standing& standing) {
  DeliveredRange gap{standing.target, standing.first, standing.cursor, standing.cursor};
  std::int64_t last_noted = 0;
  if (has_delivered_ranges(connection_)) {
    Statement answered(connection_,
                       "SELECT answered FROM delivered_range WHERE destination = ?1 ORDER BY "
                       "answered DESC LIMIT 1");
    if (answered.bind_text(1, destination_).step()) {
      gap.first = std::max(gap.first, answered.integer(0) + 1);
    }
    Statement last(connection_,
                   "SELECT last FROM delivered_range WHERE +destination = ?1 ORDER BY last DESC "
                   "LIMIT 1");
    if (last.bind_text(1, destination_).step()) {
      last_noted = last.integer(0);
    }
  }
  if (standing.attempted > last_noted) {
    gap.last = standing.attempted;
  }
  // Where retention moved the cursor, nothing was delivered.
  gap.first =
      std::max(gap.first, single_integer(connection_, "SELECT min(first_record) FROM segment"));
  return gap.first <= gap.last ? std::optional(std::move(gap)) : std::nullopt;
}

// Before `delivery` says something else. Returns the cursor.
std::int64_t DeliveredRanges::fill_gap() {
  const Standing now = standing();
  if (const auto missing = gap(now)) {
    insert(*missing);
  }
  return now.cursor;
}

void DeliveredRanges::insert(const DeliveredRange& range) {
  Statement(connection_,
            "INSERT INTO delivered_range(destination, target, first, last, answered) VALUES (?1, "
            "?2, ?3, ?4, ?5)")
      .bind_text(1, destination_)
      .bind_text(2, range.target)
      .bind(3, range.first)
      .bind(4, range.last)
      .bind(5, range.answered)
      .run();
}

// The range that an attempt at what follows the cursor is part of: all before is answered there.
std::optional<std::int64_t> DeliveredRanges::find(std::string_view target, std::int64_t cursor) {
  Statement select(connection_,
                   "SELECT id FROM delivered_range WHERE destination = ?1 AND target = ?2 AND "
                   "first <= ?3 + 1 AND answered >= ?3 ORDER BY id DESC LIMIT 1");
  select.bind_text(1, destination_).bind_text(2, target).bind(3, cursor);
  return select.step() ? select.optional_integer(0) : std::nullopt;
}

bool DeliveredRanges::has_attempt(std::string_view target, std::int64_t last) {
  const auto id = find(target, standing().cursor);
  if (!id) {
    return false;
  }
  Statement select(connection_, "SELECT 1 FROM delivered_range WHERE id = ?1 AND last >= ?2");
  return select.bind(1, *id).bind(2, last).step();
}

void DeliveredRanges::attempt(std::string_view target, std::int64_t last) {
  const std::int64_t cursor = fill_gap();
  if (last <= cursor) {
    return;
  }
  if (const auto id = find(target, cursor)) {
    Statement(connection_, "UPDATE delivered_range SET last = max(last, ?2) WHERE id = ?1")
        .bind(1, *id)
        .bind(2, last)
        .run();
  } else {
    insert({std::string(target), cursor + 1, last, cursor});
  }
}

void DeliveredRanges::answer(std::string_view target, std::int64_t last) {
  attempt(target, last);
  if (const auto id = find(target, standing().cursor)) {
    Statement(connection_, "UPDATE delivered_range SET answered = max(answered, ?2) WHERE id = ?1")
        .bind(1, *id)
        .bind(2, last)
        .run();
  }
}

void DeliveredRanges::attempt_again(std::string_view target,
                                    const std::vector<std::int64_t>& records) {
  fill_gap();
  // The newest attempt is the newest row.
  Statement forget(connection_,
                   "DELETE FROM delivered_range WHERE +destination = ?1 AND target = ?2 AND first "
                   "= ?3 AND last = ?3 AND answered < ?3");
  for (const std::int64_t record : records) {
    forget.bind_text(1, destination_).bind_text(2, target).bind(3, record).run();
    insert({std::string(target), record, record, record - 1});
  }
}

// What is answered goes into a longer range of the target, or stands in the place of what an older
// attempt there left.
void DeliveredRanges::answer_again(std::string_view target, std::vector<std::int64_t> records) {
  std::sort(records.begin(), records.end());
  std::vector<Row> longer = longer_ranges();
  Statement attempt(connection_,
                    "SELECT max(id) FROM delivered_range WHERE +destination = ?1 AND target = ?2 "
                    "AND first = ?3 AND last = ?3 AND answered < ?3");
  Statement forget_older(connection_,
                         "DELETE FROM delivered_range WHERE +destination = ?1 AND target = ?2 AND "
                         "first = ?3 AND last = ?3 AND id < ?4");
  Statement answered(connection_, "UPDATE delivered_range SET answered = last WHERE id = ?1");
  Statement forget(connection_, "DELETE FROM delivered_range WHERE id = ?1");
  for (const std::int64_t record : records) {
    attempt.bind_text(1, destination_).bind_text(2, target).bind(3, record).step();
    const auto id = attempt.optional_integer(0);
    attempt.reset();
    if (!id) {
      continue;
    }
    forget_older.bind_text(1, destination_).bind_text(2, target).bind(3, record).bind(4, *id).run();
    const bool joined = join(target, record, newest_elsewhere(target, record, longer), longer);
    (joined ? forget : answered).bind(1, *id).run();
  }
}

std::vector<DeliveredRanges::Row> DeliveredRanges::longer_ranges() {
  std::vector<Row> longer;
  Statement rows(connection_,
                 "SELECT target, first, last, answered, id FROM delivered_range WHERE +destination "
                 "= ?1 AND first < last ORDER BY id");
  rows.bind_text(1, destination_);
  while (rows.step()) {
    longer.push_back({rows.integer(4), range_of(rows)});
  }
  return longer;
}

// The row of the newest attempt at the record at another target; 0: there is none.
std::int64_t DeliveredRanges::newest_elsewhere(std::string_view target, std::int64_t record,
                                               const std::vector<Row>& longer) {
  Statement alone(connection_,
                  "SELECT max(id) FROM delivered_range WHERE +destination = ?1 AND target <> ?2 "
                  "AND first = ?3 AND last = ?3");
  alone.bind_text(1, destination_).bind_text(2, target).bind(3, record).step();
  std::int64_t newest = alone.integer(0);
  for (const Row& row : longer) {
    if (row.range.first <= record && record <= row.range.last && row.range.target != target) {
      newest = std::max(newest, row.id);
    }
  }
  return newest;
}

// Whether an answered range of the target has the record, or has got it now, being beside it. One
// whose row comes after the row `after`, so that the order of the attempts stays.
bool DeliveredRanges::join(std::string_view target, std::int64_t record, std::int64_t after,
                           std::vector<Row>& longer) {
  const auto takes = [&](const Row& row) {
    const DeliveredRange& range = row.range;
    const bool has = range.first <= record && record <= range.answered;
    const bool before = range.answered == range.last && range.last + 1 == record;
    return (has || before || range.first == record + 1) && row.id > after && range.target == target;
  };
  auto found = std::find_if(longer.begin(), longer.end(), takes);
  if (found == longer.end()) {
    Statement alone(connection_,
                    "SELECT id, first FROM delivered_range WHERE +destination = ?1 AND target = ?2 "
                    "AND last IN (?3 - 1, ?3 + 1) AND first = last AND answered = last AND id > ?4 "
                    "LIMIT 1");
    alone.bind_text(1, destination_).bind_text(2, target).bind(3, record).bind(4, after);
    if (!alone.step()) {
      return false;
    }
    const std::int64_t other = alone.integer(1);
    found =
        longer.insert(longer.end(), {alone.integer(0), {std::string(target), other, other, other}});
  }
  DeliveredRange& range = found->range;
  range.first = std::min(range.first, record);
  range.last = std::max(range.last, record);
  range.answered = std::max(range.answered, record);
  Statement(connection_,
            "UPDATE delivered_range SET first = ?2, last = ?3, answered = ?4 WHERE id = ?1")
      .bind(1, found->id)
      .bind(2, range.first)
      .bind(3, range.last)
      .bind(4, range.answered)
      .run();
  return true;
}

std::vector<DeliveredRange> DeliveredRanges::all() {
  std::vector<DeliveredRange> ranges = noted();
  if (auto missing = gap(standing())) {
    ranges.push_back(std::move(*missing));
  }
  return ranges;
}

std::vector<DeliveredRanges::OfTarget> DeliveredRanges::by_target() {
  std::vector<OfTarget> targets;
  for (const DeliveredRange& range : all()) {
    auto found = std::find_if(targets.begin(), targets.end(), [&range](const OfTarget& each) {
      return each.target == range.target;
    });
    if (found == targets.end()) {
      found = targets.insert(targets.end(), {range.target, {}, false});
    }
    found->records.emplace_back(range.first, range.last);
    found->under_way = found->under_way || range.answered < range.last;
  }
  for (OfTarget& each : targets) {
    each.records = merged(std::move(each.records));
  }
  return targets;
}

}  // namespace invlog::storage
