#include <algorithm>
#include <map>
#include <tuple>

#include "agent/residency/flow_picture.h"
#include "agent/residency/report_document.h"

namespace invlog::residency {
namespace {

constexpr std::size_t kMostNodes = 8;
constexpr std::size_t kNoScope = kScopes;

// A node's identity; scope kNoScope where a column has none.
using Name = std::pair<std::string, std::size_t>;
using Path = std::array<Name, FlowGraph::kColumns>;

Path path_of(const Report& report, const FlowRow& row) {
  const std::size_t scope = scope_index(row.scope, false);
  const std::string destinations =
      row.not_sent ? "not sent" : destinations_in_words(row.destinations);
  const std::string processed = row.not_sent               ? "not sent"
                                : row.processed_in.empty() ? "not known"
                                                           : row.processed_in;
  return {Name{report.store.region, kNoScope},
          Name{row.profile.empty() ? "no inference profile" : row.profile, scope},
          Name{destinations, row.not_sent ? scope_index("", true) : kNoScope},
          Name{processed, kNoScope}};
}

class ColumnNodes {
 public:
  void add(const Name& name, std::int64_t calls) { calls_[name] += calls; }

  // Most calls first; what is too much becomes one node at the end.
  std::vector<FlowNode> nodes() {
    std::vector<std::pair<Name, std::int64_t>> order(calls_.begin(), calls_.end());
    std::stable_sort(order.begin(), order.end(), [](const auto& left, const auto& right) {
      return left.second > right.second;
    });
    const std::size_t shown = order.size() > kMostNodes + 1 ? kMostNodes : order.size();
    std::vector<FlowNode> nodes;
    for (std::size_t at = 0; at < order.size(); ++at) {
      const auto& [name, calls] = order[at];
      if (at < shown) {
        const bool scoped = name.second != kNoScope;
        nodes.push_back({name.first, scoped ? name.second : 0, scoped, calls});
      } else if (at == shown) {
        nodes.push_back({std::to_string(order.size() - shown) + " others", 0, false, calls});
      } else {
        nodes.back().calls += calls;
      }
      places_[name] = std::min(at, shown);
    }
    return nodes;
  }

  std::size_t place(const Name& name) const { return places_.at(name); }

 private:
  std::map<Name, std::int64_t> calls_;
  std::map<Name, std::size_t> places_;
};

}  // namespace

FlowGraph flow_graph(const Report& report) {
  FlowGraph graph;
  std::array<ColumnNodes, FlowGraph::kColumns> columns;
  for (const FlowRow& row : report.flows) {
    const Path path = path_of(report, row);
    for (std::size_t at = 0; at < columns.size(); ++at) {
      columns[at].add(path[at], row.volume.calls);
    }
    graph.calls += row.volume.calls;
  }
  for (std::size_t at = 0; at < columns.size(); ++at) {
    graph.columns[at] = columns[at].nodes();
  }
  // Ordered by column, then from top to bottom.
  std::map<std::tuple<std::size_t, std::size_t, std::size_t, std::size_t>, std::int64_t> links;
  for (const FlowRow& row : report.flows) {
    const Path path = path_of(report, row);
    for (std::size_t at = 0; at + 1 < columns.size(); ++at) {
      // What was not sent is so from its profile on.
      const std::size_t scope = scope_index(row.scope, row.not_sent && at > 0);
      links[{at, columns[at].place(path[at]), columns[at + 1].place(path[at + 1]), scope}] +=
          row.volume.calls;
    }
  }
  for (const auto& [ends, calls] : links) {
    const auto& [column, from, to, scope] = ends;
    graph.links.push_back({column, from, to, scope, calls});
  }
  return graph;
}

}  // namespace invlog::residency
