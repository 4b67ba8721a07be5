// Faults at every call, drawn from a seed (issue 3): the promises of exporters/shipper.h against
// the real S3 and CloudWatch Logs destinations over services in memory, on real stores, with the
// process killed at any point.
//
// INVLOG_MODEL_SEEDS=<first>-<last> runs other seeds than 1 to 1000; one seed can be repeated that
// way.

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <cstdlib>

#include "tests/catch.h"
#include "tests/unit/exporters/model/delivery_model.h"

namespace invlog::exporters {
namespace {

struct Seeds {
  std::uint64_t first = 1, last = 1000;
};

Seeds chosen_seeds() {
  Seeds seeds;
  const char* asked = std::getenv("INVLOG_MODEL_SEEDS");
  unsigned long long first = 0, last = 0;
  if (asked != nullptr && std::sscanf(asked, "%llu-%llu", &first, &last) == 2) {
    seeds = {first, last};
  }
  return seeds;
}

TEST_CASE(
    "Whatever fails: each record once in S3, at least once in CloudWatch Logs, or a dead letter") {
  if (std::getenv("INVLOG_MODEL_LOG") == nullptr) {
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>()));
  }
  std::uint64_t faults = 0, kills = 0;
  const Seeds seeds = chosen_seeds();
  for (std::uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
    std::string broken;
    DeliveryModel model(seed);
    try {
      model.run();
    } catch (const std::exception& error) {
      broken = error.what();
    }
    INFO("seed " << seed);
    CHECK(broken == "");
    faults += model.faults().faults;
    kills += model.faults().kills;
  }
  // The model must bite.
  const std::uint64_t count = seeds.last - seeds.first + 1;
  WARN(count << " seeds: " << faults << " faults, " << kills << " kills");
  CHECK((count < 100 || (faults > 10 * count && kills > count / 2)));
}

}  // namespace
}  // namespace invlog::exporters
