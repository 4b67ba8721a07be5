#include "agent/residency/report_losses.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <map>

#include "storage/retention_base.h"
#include "storage/statement.h"

namespace invlog::residency {
namespace {

constexpr std::int64_t kWholeSecond = 1'000'000;
constexpr std::int64_t kNoTime = std::numeric_limits<std::int64_t>::max();

// Of the rows of unseen_call in the order of their times, what there is from some time on.
struct UnseenMark {
  std::int64_t rows_before = 0;
  std::int64_t next_us = kNoTime;  // of the first row from then on
};
using UnseenMarks = std::map<std::int64_t, UnseenMark>;

// At the ends of all spans. One walk along the index: spans are many, and may all overlap.
UnseenMarks unseen_marks(sqlite3* connection, const std::vector<ReconciliationRow>& comparisons) {
  UnseenMarks marks;
  for (const ReconciliationRow& row : comparisons) {
    if (row.unseen > 0) {
      marks.try_emplace(row.span.from_us);
      marks.try_emplace(row.span.until_us + 1);  // the newest event that was read is at the end
    }
  }
  if (marks.empty()) {
    return marks;
  }
  storage::Statement select(connection,
                            "SELECT at FROM unseen_call WHERE at >= ?1 AND at < ?2 ORDER BY at");
  select.bind(1, marks.begin()->first).bind(2, marks.rbegin()->first);
  auto mark = marks.begin();
  std::int64_t rows = 0;
  for (; select.step(); ++rows) {
    const std::int64_t at = select.integer(0);
    for (; mark != marks.end() && mark->first <= at; ++mark) {
      mark->second = {rows, at};
    }
  }
  for (; mark != marks.end(); ++mark) {
    mark->second = {rows, kNoTime};
  }
  return marks;
}

// Unseen calls of one comparison that are not listed any more, and when they were.
struct GoneCalls {
  Period span;
  std::int64_t calls = 0;
};

// A newer comparison of all that time found less: records may have turned up since. Unless it could
// not find more, since retention had taken what to compare with.
bool is_superseded(const ReconciliationRow& row, const std::vector<ReconciliationRow>& all,
                   const TakenByRetention& taken) {
  return row.span.from_us >= taken.complete_from_us &&
         std::any_of(all.begin(), all.end(), [&row](const ReconciliationRow& other) {
           return other.at_us > row.at_us && other.span.from_us <= row.span.from_us &&
                  other.span.until_us >= row.span.until_us;
         });
}

// Most that spans of which no two overlap add up to: the same call may be missing in several.
std::int64_t most_apart(std::vector<GoneCalls> gone) {
  std::sort(gone.begin(), gone.end(), [](const GoneCalls& left, const GoneCalls& right) {
    return left.span.until_us < right.span.until_us;
  });
  std::vector<std::int64_t> most{0};  // of so many of them, the first ones
  for (std::size_t at = 0; at < gone.size(); ++at) {
    const auto here = gone.begin() + static_cast<std::ptrdiff_t>(at);
    const auto overlapping = std::upper_bound(
        gone.begin(), here, here->span.from_us,
        [](std::int64_t from, const GoneCalls& other) { return from < other.span.until_us; });
    const auto apart = static_cast<std::size_t>(overlapping - gone.begin());
    most.push_back(std::max(most.back(), most[apart] + here->calls));
  }
  return most.back();
}

}  // namespace

TakenByRetention read_taken(sqlite3* connection, const Period& period) {
  TakenByRetention taken;
  const storage::RetentionBase base = storage::read_retention_base(connection);
  // An event that nobody can read tells at least that something went.
  taken.last_record = base.readable
                          ? base.record
                          : storage::single_integer(connection, "SELECT min(id) - 1 FROM record");
  if (taken.last_record <= 0) {
    return {};
  }
  storage::Statement events(connection,
                            "SELECT coalesce(sum(count), 0), (SELECT at FROM event WHERE kind = "
                            "'retention' ORDER BY id LIMIT 1), (SELECT at FROM event WHERE kind = "
                            "'retention' ORDER BY id DESC LIMIT 1) FROM event WHERE kind = "
                            "'retention'");
  events.step();
  taken.untold = std::max<std::int64_t>(0, taken.last_record - events.integer(0));
  taken.at_us = events.integer(2);
  const std::int64_t birth_us =
      storage::single_integer(connection, "SELECT unixepoch(created_at) FROM store") * kWholeSecond;
  taken.untold_in_period =
      period.from_us <= birth_us && birth_us != 0 && period.until_us > events.integer(1);
  // Not the beginning of the oldest record that is left: one of a short call that began later may
  // have gone before that of a long one. All that went was closed by then.
  storage::Statement first(connection, "SELECT opened_at FROM segment ORDER BY id LIMIT 1");
  taken.complete_from_us = first.step() ? first.integer(0) : taken.at_us;
  // What is shown and given to --from are whole seconds.
  taken.complete_from_us =
      (taken.complete_from_us + kWholeSecond - 1) / kWholeSecond * kWholeSecond;
  taken.concerns_period = period.from_us < taken.complete_from_us;
  return taken;
}

void read_gone_unseen(sqlite3* connection, const Period& period, const TakenByRetention& taken,
                      Coverage& coverage) {
  const UnseenMarks marks = unseen_marks(connection, coverage.reconciliations);
  std::vector<GoneCalls> gone;
  for (ReconciliationRow& row : coverage.reconciliations) {
    if (row.unseen <= 0) {
      continue;
    }
    const UnseenMark& begin = marks.at(row.span.from_us);
    const std::int64_t rows = marks.at(row.span.until_us + 1).rows_before - begin.rows_before;
    row.listed = std::min(row.unseen, rows);  // another source may know more of that time
    // The oldest rows go first: none that is gone is of a later time than the oldest that is left.
    const Period when{row.span.from_us, std::min(row.span.until_us, begin.next_us)};
    if (row.listed == row.unseen || when.until_us < period.from_us ||
        is_superseded(row, coverage.reconciliations, taken)) {
      continue;
    }
    gone.push_back({when, row.unseen - row.listed});
    coverage.gone_may_be_beside |= when.from_us < period.from_us || when.until_us > period.until_us;
  }
  coverage.unseen_gone = most_apart(std::move(gone));
}

}  // namespace invlog::residency
