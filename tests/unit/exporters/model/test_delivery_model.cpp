// Faults at every call, drawn from a seed (issue 3): the promises of exporters/shipper.h against
// the real S3 and CloudWatch Logs destinations over services in memory, on real stores, with the
// process killed at any point: by an exception that nothing catches, and by kill -9.
//
// INVLOG_MODEL_SEEDS=<first>-<last>, or one seed's number, runs these instead of those below, as
// `make check` does for 1,000 and 100 (tests/check delivery_model);
// INVLOG_MODEL_LOG=1 shows what is logged. A sanitized build runs fewer: it is slower, and looks
// for other faults.

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "tests/catch.h"
#include "tests/sanitized.h"
#include "tests/unit/exporters/model/delivery_model.h"

namespace invlog::exporters {
namespace {

constexpr std::uint64_t kThrownSeeds = tests::kSanitized ? 25 : 250;
constexpr std::uint64_t kRealSeeds = tests::kSanitized ? 3 : 50;

struct Seeds {
  std::uint64_t first = 1, last = 1;
};

Seeds chosen_seeds(std::uint64_t count) {
  const char* asked = std::getenv("INVLOG_MODEL_SEEDS");
  unsigned long long first = 0, last = 0;
  switch (asked != nullptr ? std::sscanf(asked, "%llu-%llu", &first, &last) : 0) {
    case 2:
      return {first, last};
    case 1:
      return {first, first};
    default:
      return {1, count};
  }
}

// Nothing is logged while it lives.
class QuietLog {
 public:
  QuietLog() : before_(spdlog::default_logger()) {
    if (std::getenv("INVLOG_MODEL_LOG") == nullptr) {
      spdlog::set_default_logger(
          std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>()));
    }
  }
  ~QuietLog() { spdlog::set_default_logger(before_); }
  QuietLog(const QuietLog&) = delete;
  QuietLog& operator=(const QuietLog&) = delete;

 private:
  std::shared_ptr<spdlog::logger> before_;
};

// Why the seed fails, "" if it does not.
std::string broken_by(std::uint64_t seed, DeliveryModel::Kills kills,
                      DeliveryModel::Counts& total) {
  DeliveryModel model(seed, kills);
  std::string broken;
  try {
    model.run();
  } catch (const ModelBroken& promise) {
    broken = promise.why;
  } catch (const std::exception& error) {
    broken = error.what();
  }
  const DeliveryModel::Counts counts = model.counts();
  total.faults += counts.faults;
  total.kills += counts.kills;
  total.looks += counts.looks;
  total.dead_letters += counts.dead_letters;
  total.copies += counts.copies;
  return broken;
}

void run_seeds(const Seeds& seeds, DeliveryModel::Kills kills) {
  const QuietLog quiet;
  DeliveryModel::Counts total;
  for (std::uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
    const std::string broken = broken_by(seed, kills, total);
    INFO("seed " << seed << "; alone: INVLOG_MODEL_SEEDS=" << seed
                 << " build/tests/unit-exporters \"[model]\"");
    CHECK(broken == "");
  }
  const std::uint64_t count = seeds.last - seeds.first + 1;
  std::printf("%llu seeds: %llu faults, %llu kills, %llu looks, %llu copies, %llu dead letters\n",
              static_cast<unsigned long long>(count), static_cast<unsigned long long>(total.faults),
              static_cast<unsigned long long>(total.kills),
              static_cast<unsigned long long>(total.looks),
              static_cast<unsigned long long>(total.copies),
              static_cast<unsigned long long>(total.dead_letters));
  // The model must bite.
  if (count >= 10) {
    CHECK(total.kills > 2 * count);
    CHECK(total.dead_letters > count);
    CHECK(total.copies > 30 * count);
  }
}

TEST_CASE(
    "Whatever fails: each record once in S3, at least once in CloudWatch Logs, or a dead letter",
    "[model]") {
  run_seeds(chosen_seeds(kThrownSeeds), DeliveryModel::Kills::thrown);
}

TEST_CASE("And whenever kill -9 strikes", "[model]") {
  run_seeds(chosen_seeds(kRealSeeds), DeliveryModel::Kills::real);
}

}  // namespace
}  // namespace invlog::exporters
