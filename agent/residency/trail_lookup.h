// CloudTrail's events as it tells them itself: LookupEvents, the last 90 days of one Region, newest
// first, 50 a page, and no more than two pages a second. Facts: bedrock.md §5.5.
//
// Threads: one. Ownership: the ServiceClient must outlive it. Errors: as TrailSource; a page that
// cannot be had after several attempts ends it, since what is older would be missing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/residency/trail_source.h"
#include "exporters/aws/service_client.h"
#include "exporters/patient_caller.h"

namespace invlog::residency {

class TrailLookup final : public TrailSource {
 public:
  static constexpr std::int64_t kReachUs = 90ll * 86'400 * 1'000'000;

  // Events of [since, until], Unix time in µs.
  TrailLookup(aws::ServiceClient& service, std::int64_t since_us, std::int64_t until_us,
              exporters::CallTimes times);

  std::string name() const override { return "lookup"; }
  tl::expected<void, std::string> read(TrailSink& sink) override;
  std::optional<std::int64_t> complete_until_us() const override { return until_us_; }

 private:
  tl::expected<std::string, std::string> read_page(std::string_view body, TrailSink& sink);
  void show(TrailSink& sink) const;

  aws::ServiceClient& service_;
  const std::int64_t since_us_, until_us_;
  exporters::PatientCaller caller_;
  TrailEventReader reader_;
  std::int64_t reached_us_;  // the time of the oldest event so far
  std::uint64_t events_ = 0;
};

}  // namespace invlog::residency
