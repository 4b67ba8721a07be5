#include "agent/residency/report_groups.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace invlog::residency {
namespace {

struct Group {
  Volume volume;
  std::set<std::string> others;  // callers of a model, models of a caller
  void add(const Volume& more, const std::string& other) {
    volume.add(more);
    others.insert(other);
  }
};

template <class Row>
void most_calls_first(std::vector<Row>& rows) {
  std::stable_sort(rows.begin(), rows.end(), [](const Row& left, const Row& right) {
    return left.volume.calls > right.volume.calls;
  });
}

}  // namespace

std::vector<ModelRow> usage_by_model(const Report& report) {
  std::map<std::tuple<std::string, std::string, std::string>, Group> groups;
  for (const UsageRow& row : report.usage) {
    groups[{row.model, row.profile, row.scope}].add(row.volume, row.caller);
  }
  std::vector<ModelRow> rows;
  for (const auto& [names, group] : groups) {
    const auto& [model, profile, scope] = names;
    rows.push_back(
        {model, profile, scope, static_cast<std::int64_t>(group.others.size()), group.volume});
  }
  most_calls_first(rows);
  return rows;
}

std::vector<CallerRow> usage_by_caller(const Report& report) {
  std::map<std::string, Group> groups;
  for (const UsageRow& row : report.usage) {
    groups[row.caller].add(row.volume, row.model);
  }
  std::vector<CallerRow> rows;
  for (const auto& [caller, group] : groups) {
    rows.push_back({caller, static_cast<std::int64_t>(group.others.size()), group.volume});
  }
  most_calls_first(rows);
  return rows;
}

}  // namespace invlog::residency
