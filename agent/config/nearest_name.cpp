#include "agent/config/nearest_name.h"

#include <algorithm>

namespace invlog::config {
namespace {

// Optimal string alignment distance.
std::size_t distance(std::string_view left, std::string_view right) {
  std::vector<std::vector<std::size_t>> cost(left.size() + 1,
                                             std::vector<std::size_t>(right.size() + 1));
  for (std::size_t i = 0; i <= left.size(); ++i) {
    cost[i][0] = i;
  }
  for (std::size_t j = 0; j <= right.size(); ++j) {
    cost[0][j] = j;
  }
  for (std::size_t i = 1; i <= left.size(); ++i) {
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t change = left[i - 1] == right[j - 1] ? 0 : 1;
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[left.size()][right.size()];
}

}  // namespace

std::string nearest_name(std::string_view name, const std::vector<std::string_view>& known) {
  constexpr std::size_t kLongestCompared = 64;
  if (name.size() > kLongestCompared) {
    return "";
  }
  std::string nearest;
  std::size_t fewest = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string_view candidate : known) {
    const std::size_t changes = distance(name, candidate);
    const bool swapped =
        changes == fewest &&
        std::is_permutation(name.begin(), name.end(), candidate.begin(), candidate.end());
    if ((changes < fewest || swapped) && changes < candidate.size()) {
      fewest = changes;
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace invlog::config
