#include "agent/cli/record_range.h"

#include <limits>

#include "agent/cli/display_text.h"
#include "storage/statement.h"

namespace invlog::cli {

bool is_empty(const TimeRange& range, const std::string& command, std::ostream& err) {
  if (!range.since_us || !range.until_us || *range.since_us < *range.until_us) {
    return false;
  }
  err << command << ": the period is empty: --since must be before --until\n";
  return true;
}

void DamagedRecords::print(const std::string& command, std::ostream& err) const {
  for (const std::string& each : told) {
    err << command << ": " << printable(each) << '\n';
  }
  if (count > 0) {
    err << command << ": " << counted(count, "damaged record")
        << " left out; `invlog verify` shows what is wrong\n";
  }
}

DamagedRecords each_in_range(storage::Reader& reader, const TimeRange& range,
                             storage::Bodies bodies, Progress& progress,
                             const std::function<bool(storage::StoredRecord&)>& visit) {
  const std::int64_t since = range.since_us.value_or(std::numeric_limits<std::int64_t>::min());
  const std::int64_t until = range.until_us.value_or(std::numeric_limits<std::int64_t>::max());
  std::int64_t first = 0;
  std::int64_t last = 0;
  {
    storage::Statement ends(reader.connection(),
                            range.since_us || range.until_us
                                ? "SELECT min(id), max(id) FROM record WHERE started_at >= ?1 AND "
                                  "started_at < ?2"
                                : "SELECT (SELECT min(id) FROM record WHERE ?1 < ?2), "
                                  "(SELECT max(id) FROM record)");
    ends.bind(1, since).bind(2, until).step();
    if (ends.is_null(0)) {
      return {};
    }
    first = ends.integer(0);
    last = ends.integer(1);
  }
  DamagedRecords damaged;
  const auto look = [&](storage::StoredRecord& stored) {
    if (stored.id > last) {
      return false;
    }
    progress.show(static_cast<std::uint64_t>(stored.id - first),
                  static_cast<std::uint64_t>(last - first + 1));
    const std::int64_t started = stored.record.started_at_us;
    return started < since || started >= until || visit(stored);
  };
  reader.each(first, bodies, look, [&](std::int64_t id, const std::string& why) {
    if (id > last) {
      return false;
    }
    if (++damaged.count <= static_cast<std::int64_t>(DamagedRecords::kMostTold)) {
      damaged.told.push_back(
          why.starts_with("record ") ? why : "record " + std::to_string(id) + ": " + why);
    }
    return true;
  });
  return damaged;
}

}  // namespace invlog::cli
