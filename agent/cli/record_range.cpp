#include "agent/cli/record_range.h"

#include <sqlite3.h>

#include <algorithm>
#include <limits>

#include "agent/cli/display_text.h"
#include "storage/statement.h"
#include "storage/store_error.h"

namespace invlog::cli {

bool is_empty(const TimeRange& range, const std::string& command, std::ostream& err) {
  if (!range.since_us || !range.until_us || *range.since_us < *range.until_us) {
    return false;
  }
  err << command << ": the period is empty: --since must be before --until\n";
  return true;
}

void LeftOutRecords::print(const std::string& command, std::ostream& err) const {
  for (const std::string& each : told) {
    err << command << ": " << printable(each) << '\n';
  }
  if (damaged > 0) {
    err << command << ": " << counted(damaged, "damaged record")
        << " left out; `invlog verify` shows what is wrong\n";
  }
  if (gone > 0) {
    err << command << ": " << counted(gone, "record") << ", of " << first_gone << " to "
        << last_gone << ", left out: retention took what had not been read yet\n";
  }
}

namespace {

struct Ends {
  std::int64_t first = 0, last = 0;
};

// The ids between which the range's records are, none if it has none.
std::optional<Ends> ends_of(storage::Reader& reader, bool whole, std::int64_t since,
                            std::int64_t until) {
  try {
    storage::Statement ends(reader.connection(),
                            whole ? "SELECT (SELECT min(id) FROM record WHERE ?1 < ?2), "
                                    "(SELECT max(id) FROM record)"
                                  : "SELECT min(id), max(id) FROM record WHERE started_at >= ?1 "
                                    "AND started_at < ?2");
    ends.bind(1, since).bind(2, until).step();
    return ends.is_null(0) ? std::nullopt : std::optional(Ends{ends.integer(0), ends.integer(1)});
  } catch (const storage::StoreError& error) {
    if (error.sqlite_code() != SQLITE_CORRUPT) {
      throw;
    }
  }
  // A damaged page hides them; what is behind it is looked at one by one.
  const std::int64_t first = storage::single_integer(
      reader.connection(), "SELECT coalesce(min(first_record), 1) FROM segment");
  return Ends{first, reader.last_id()};
}

}  // namespace

LeftOutRecords each_in_range(storage::Reader& reader, const TimeRange& range,
                             storage::Bodies bodies, Progress& progress,
                             const std::function<bool(storage::StoredRecord&)>& visit) {
  const std::int64_t since = range.since_us.value_or(std::numeric_limits<std::int64_t>::min());
  const std::int64_t until = range.until_us.value_or(std::numeric_limits<std::int64_t>::max());
  const auto ends = ends_of(reader, !range.since_us && !range.until_us, since, until);
  if (!ends) {
    return {};
  }
  LeftOutRecords left_out;
  const auto look = [&](storage::StoredRecord& stored) {
    if (stored.id > ends->last) {
      return false;
    }
    progress.show(static_cast<std::uint64_t>(stored.id - ends->first),
                  static_cast<std::uint64_t>(ends->last - ends->first + 1));
    const std::int64_t started = stored.record.started_at_us;
    return started < since || started >= until || visit(stored);
  };
  const auto damaged = [&](std::int64_t id, const std::string& why) {
    if (id > ends->last) {
      return false;
    }
    if (++left_out.damaged <= static_cast<std::int64_t>(LeftOutRecords::kMostTold)) {
      left_out.told.push_back(
          why.starts_with("record ") ? why : "record " + std::to_string(id) + ": " + why);
    }
    return true;
  };
  reader.each(ends->first, bodies, look, damaged, [&](std::int64_t first, std::int64_t last) {
    last = std::min(last, ends->last);
    if (first <= last) {
      left_out.first_gone = left_out.gone == 0 ? first : left_out.first_gone;
      left_out.last_gone = last;
      left_out.gone += last - first + 1;
    }
  });
  return left_out;
}

}  // namespace invlog::cli
