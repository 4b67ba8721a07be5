// Where calls went, as a picture: bands from the source Region by way of inference profiles to the
// Regions that were possible and those that processed them, as wide as there were calls.
//
// Pure functions of a Report; any thread; never throw but for lack of memory. Each bar and each
// band has its calls in `data-calls`: the bars of a column add up to the report's calls, and so do
// the bands between two columns.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "agent/residency/report_data.h"

namespace invlog::residency {

struct FlowNode {
  std::string name;
  std::size_t scope = 0;  // ScopeIndex
  bool scoped = false;    // has a scope; else it is grey
  std::int64_t calls = 0;
};

struct FlowLink {
  std::size_t column = 0;  // from a node of this column to one of the next
  std::size_t from = 0, to = 0;
  std::size_t scope = 0;
  std::int64_t calls = 0;
};

struct FlowGraph {
  // Source Region, inference profiles, destinations, Regions that processed.
  static constexpr std::size_t kColumns = 4;
  std::array<std::vector<FlowNode>, kColumns> columns;
  std::vector<FlowLink> links;
  std::int64_t calls = 0;
};

// A column has at most nine nodes: the eight with most calls, and one for all others.
FlowGraph flow_graph(const Report& report);

// An <svg> element; "" if there are no calls.
std::string flow_picture(const Report& report);

// Bars of calls per day, week or month, stacked by scope. An <svg> element; "" if there are no
// calls.
std::string daily_picture(const Report& report);

// As "#2f6db5". Each has a contrast of 3:1 and more against white.
const char* scope_color(std::size_t scope);
// Swatches and names of those scopes that have calls, from (x, y) on.
std::string scope_legend(const std::array<std::int64_t, kScopes>& calls, int x, int y);

}  // namespace invlog::residency
