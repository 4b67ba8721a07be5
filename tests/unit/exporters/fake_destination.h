// A destination in memory, for tests of what drives destinations. FakeService is what would be on
// the other side of the network: it stays when a FakeDestination and its Shipper go, as after a
// crash.
//
// With plans it is like S3: a batch is an object whose key the plan names, and the keys of new
// batches never repeat, so that a resend without its plan shows as a second object. Without plans
// it is like CloudWatch Logs: a list of events.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "exporters/destination.h"

namespace invlog::exporters {

struct FakeService {
  enum class Call { prove, begin, add, plan, send };

  std::map<std::string, std::vector<std::int64_t>> objects;  // records by key
  std::vector<std::int64_t> events;                          // records as they came
  std::set<std::int64_t> poison;   // a batch with one of these is rejected
  std::set<std::int64_t> refused;  // these are refused, their batch is not
  // Faults. `done`: the call has had its effect, only the answer is still to come. May throw.
  std::function<std::optional<aws::ServiceFailure>(Call, bool done)> fault;
  std::vector<Destination::Check> checks;
  std::vector<KeptHead> heads;
  std::vector<std::string> given;        // objects that were known when heads were asked for
  bool overwritten_differently = false;  // an object was written again with other records

  int proofs = 0, sends = 0, check_calls = 0;
  std::vector<std::size_t> batch_sizes;  // of each send
  int keys = 0;

  // How often a record is there.
  int copies(std::int64_t record) const;
};

struct FakeOptions {
  std::string name = "cloudwatch_logs";
  std::string target = "/invlog/records";
  std::size_t batch_records = 10;
  bool plans = false;
  std::string other_name{};  // of the same target
  std::string head_folder{};
};

class FakeDestination : public Destination {
 public:
  FakeDestination(FakeOptions options, FakeService& service)
      : options_(std::move(options)), service_(service) {}

  std::string name() const override { return options_.name; }
  std::string target() const override { return options_.target; }
  bool is_same_target(std::string_view other) const override {
    return other == options_.target || other == options_.other_name;
  }
  tl::expected<void, aws::ServiceFailure> prove(const Origin& origin) override;
  std::unique_ptr<Batch> begin(const Origin& origin, const std::string& plan, bool retry) override;
  std::vector<Check> check(const Origin& origin) override;
  tl::expected<std::vector<KeptHead>, aws::ServiceFailure> kept_heads(
      const Origin&, std::int64_t, const std::vector<std::string>& given) override {
    service_.given = given;
    return service_.heads;
  }

  std::string head_folder(const Origin&) const override { return options_.head_folder; }

  std::vector<Origin> origins;     // of each begin()
  std::vector<std::string> plans;  // of each begin()

 private:
  FakeOptions options_;
  FakeService& service_;
};

aws::ServiceFailure failure_with(aws::FailureKind kind, const std::string& message = "");

}  // namespace invlog::exporters
