// CloudTrail's events from the bucket that a trail writes to: s3://bucket/prefix. Objects of
// another Region, digests and what is no .json or .json.gz are passed over by their names. One
// object is in memory at a time, as it is stored.
//
// Threads: one. Ownership: the reader must outlive it. Errors: as TrailSource; an object that
// cannot be had is a problem, a listing that cannot be had ends it.
#pragma once

#include <cstdint>
#include <string>

#include "agent/residency/trail_source.h"
#include "exporters/patient_caller.h"
#include "exporters/s3/s3_object_reader.h"

namespace invlog::residency {

// What an object may have, in bytes. A trail's are a hundredth of it.
inline constexpr std::size_t kMostObjectBytes = 64 << 20;

// Empty if `text` is no s3://bucket/prefix.
struct BucketPlace {
  std::string bucket, prefix;
};
std::optional<BucketPlace> parse_bucket_place(const std::string& text);

class TrailBucket final : public TrailSource {
 public:
  // `region`: of the calls, not of the bucket.
  TrailBucket(exporters::S3ObjectReader& reader, BucketPlace place, std::string region,
              exporters::CallTimes times);

  std::string name() const override;
  tl::expected<void, std::string> read(TrailSink& sink) override;

 private:
  tl::expected<exporters::S3Listing, std::string> next_page(const std::string& continuation);
  void read_object(const exporters::S3Listing::Entry& entry, TrailSink& sink);

  exporters::S3ObjectReader& reader_;
  const BucketPlace place_;
  const std::string region_;
  exporters::PatientCaller caller_;
  std::uint64_t objects_ = 0, listed_ = 0, bytes_ = 0;
};

}  // namespace invlog::residency
