// How calls ended, counted for /metrics: by operation, outcome and class of the HTTP status, and
// how long they took. What a call costs here is a few additions; no label comes from a request.
//
// A plain value. Thread: the I/O thread; copies may go anywhere.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "agent/bedrock/invocation.h"
#include "agent/bedrock/operation.h"

namespace invlog::capture {

// Durations by buckets, as Prometheus has them.
class DurationCounts {
 public:
  // Upper bounds in seconds; one more bucket has the rest.
  static constexpr std::array<double, 12> kBounds = {0.05, 0.1, 0.25, 0.5, 1,   2.5,
                                                     5,    10,  30,   60,  120, 300};

  void count(std::int64_t duration_us) {
    const double seconds = static_cast<double>(duration_us) / 1e6;
    std::size_t bucket = 0;
    while (bucket < kBounds.size() && seconds > kBounds[bucket])
      ++bucket;
    ++buckets_[bucket];
    sum_us_ += duration_us;
  }
  // Of this bucket alone; `bucket` at most kBounds.size().
  std::uint64_t in_bucket(std::size_t bucket) const { return buckets_[bucket]; }
  double sum_seconds() const { return static_cast<double>(sum_us_) / 1e6; }

 private:
  std::array<std::uint64_t, kBounds.size() + 1> buckets_{};
  std::int64_t sum_us_ = 0;
};

class CallCounts {
 public:
  static constexpr std::size_t kOperations = 7, kOutcomes = 7;
  static constexpr std::size_t kStatusClasses = 6;  // 0: no answer was given; 1xx to 5xx

  // A call that became a record; its duration and outcome are known.
  void count(bedrock::Operation operation, const bedrock::Invocation& call) {
    const auto status = static_cast<std::size_t>(call.status > 0 ? call.status / 100 : 0);
    ++calls_[static_cast<std::size_t>(operation)][static_cast<std::size_t>(call.outcome)]
            [status < kStatusClasses ? status : kStatusClasses - 1];
    durations_.count(call.duration_us);
    if (call.first_byte_us)
      first_bytes_.count(*call.first_byte_us);
  }

  std::uint64_t calls(bedrock::Operation operation, bedrock::Outcome outcome,
                      std::size_t status_class) const {
    return calls_[static_cast<std::size_t>(operation)][static_cast<std::size_t>(outcome)]
                 [status_class];
  }
  const DurationCounts& durations() const { return durations_; }
  const DurationCounts& first_bytes() const { return first_bytes_; }

 private:
  std::array<std::array<std::array<std::uint64_t, kStatusClasses>, kOutcomes>, kOperations>
      calls_{};
  DurationCounts durations_;
  DurationCounts first_bytes_;
};

static_assert(static_cast<std::size_t>(bedrock::Operation::invoke_model_with_bidirectional_stream) +
                  1 ==
              CallCounts::kOperations);
static_assert(static_cast<std::size_t>(bedrock::Outcome::interrupted) + 1 == CallCounts::kOutcomes);

}  // namespace invlog::capture
