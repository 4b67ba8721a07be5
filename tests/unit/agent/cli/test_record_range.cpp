#include "agent/cli/record_range.h"

#include <sstream>

#include "agent/cli/export_command.h"
#include "agent/cli/search_command.h"
#include "agent/cli/usage_command.h"
#include "tests/catch.h"
#include "tests/unit/agent/cli/example_store.h"

using namespace invlog::cli;
using invlog::tests::ExampleStore;

namespace {

constexpr std::int64_t kSecondCall = 1'791'208'860'000'000;

// The exit code, and what was said.
template <typename Options>
std::string run(int (*command)(const Options&, std::ostream&, std::ostream&), Options options,
                std::int64_t since_us, std::int64_t until_us) {
  const ExampleStore store;
  options.store = store.options();
  options.since_us = since_us;
  options.until_us = until_us;
  std::ostringstream out, err;
  const int exit_code = command(options, out, err);
  return std::to_string(exit_code) + " " + err.str() + (exit_code == 0 ? "" : out.str());
}

}  // namespace

TEST_CASE("a period that ends before it begins is a mistake, not one without calls") {
  SearchOptions search;
  search.text = "M\u00fcnchen";
  for (const std::int64_t until_us : {kSecondCall, kSecondCall - 1}) {
    CHECK(run(run_export, ExportOptions(), kSecondCall, until_us) ==
          "2 invlog export: the period is empty: --since must be before --until\n");
    CHECK(run(run_usage, UsageOptions(), kSecondCall, until_us) ==
          "2 invlog usage: the period is empty: --since must be before --until\n");
    CHECK(run(run_search, search, kSecondCall, until_us) ==
          "2 invlog search: the period is empty: --since must be before --until\n");
  }
  CHECK(run(run_export, ExportOptions(), kSecondCall, kSecondCall + 1) == "0 ");
  CHECK(run(run_usage, UsageOptions(), kSecondCall, kSecondCall + 1) == "0 ");
  CHECK(run(run_search, search, kSecondCall, kSecondCall + 1) == "0 ");
}
