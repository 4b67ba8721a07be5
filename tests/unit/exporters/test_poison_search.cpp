#include <set>

#include "exporters/poison_search.h"
#include "tests/catch.h"

namespace invlog::exporters {
namespace {

using Verdict = PoisonSearch::Verdict;

// Delivers records 1..total in batches of at most `batch`, and returns the number of attempts.
int deliver_all(int total, int batch, const std::set<int>& poison, std::set<int>& buried) {
  PoisonSearch search;
  int attempts = 0;
  for (int first = 1; first <= total;) {
    const auto most = static_cast<int>(search.most_records());
    const int size = std::min({batch, total - first + 1, most == 0 ? batch : most});
    const auto found = poison.lower_bound(first);
    ++attempts;
    if (found == poison.end() || *found >= first + size) {
      search.delivered(static_cast<std::size_t>(size));
      first += size;
    } else if (search.rejected(static_cast<std::size_t>(size)) != Verdict::smaller) {
      buried.insert(first++);
      search.start_over();
    }
  }
  return attempts;
}

TEST_CASE("One poisoned record of a thousand is found in ten halvings") {
  for (const int poisoned : {1, 2, 500, 999, 1000}) {
    std::set<int> buried;
    const int attempts = deliver_all(1000, 1000, {poisoned}, buried);
    CHECK(buried == std::set<int>{poisoned});
    CHECK(attempts > 0);
    CHECK(attempts <= 13);
  }
}

TEST_CASE("Only the poisoned records are given up, wherever they are") {
  std::set<int> buried;
  CHECK(deliver_all(100, 17, {3, 4, 40, 99}, buried) > 0);
  CHECK(buried == std::set<int>{3, 4, 40, 99});
}

TEST_CASE("A record is at fault only if others arrived while it was looked for") {
  PoisonSearch search;
  CHECK(search.rejected(1) == Verdict::doubtful);
  search.start_over();
  search.delivered(5);  // before the search
  CHECK(search.rejected(4) == Verdict::smaller);
  CHECK(search.most_records() == 2);
  CHECK(search.rejected(2) == Verdict::smaller);
  CHECK(search.rejected(1) == Verdict::doubtful);

  search.start_over();
  CHECK(search.rejected(4) == Verdict::smaller);
  search.delivered(2);
  CHECK(search.rejected(1) == Verdict::poison);
  search.start_over();
  CHECK(search.rejected(1) == Verdict::doubtful);
}

TEST_CASE("After a cursor moved by somebody else the search is over") {
  PoisonSearch search;
  search.rejected(8);
  CHECK(search.most_records() == 4);
  search.start_over();
  CHECK(search.most_records() == 0);
}

}  // namespace
}  // namespace invlog::exporters
