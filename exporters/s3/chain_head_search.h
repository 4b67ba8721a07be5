// Finds the heads of a store's chain among the objects of its bucket: each object that invlog wrote
// has the head of its moment as metadata (s3_batch.cpp), and its key says whose records it holds.
// Several stores may write to one folder. All that are found count, not only the newest: a store
// that was put back and delivered again has a new head there, beside those that contradict it.
// Where the newest objects are all of other stores, those that this one knows to have written tell:
// a host that is quiet in a fleet that is not has not lost its heads by that.
//
// It takes thousands of calls, so a failure that passes by itself ends it only after some attempts,
// and an object that went after it was listed is passed over.
//
// Threads: one. Ownership: HttpClient and provider must outlive it. Errors: results.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "exporters/destination.h"
#include "exporters/patient_caller.h"
#include "exporters/s3/object_layout.h"
#include "exporters/s3/s3_object_reader.h"

namespace invlog::exporters {

class ChainHeadSearch {
 public:
  // So many objects are asked for their metadata, the newest first; what is older is not seen.
  static constexpr std::size_t kMostAsked = 2000;
  // And so many of those that the store knows: more than a batch has.
  static constexpr std::size_t kMostGivenAsked = 100;

  // `layout`: the store's; its compression does not matter.
  ChainHeadSearch(S3Options options, ObjectLayout layout, aws::HttpClient& http,
                  aws::CredentialsProvider& credentials, aws::SystemClock clock, CallTimes times);

  // Looks at the objects of the hour of `since_us` (Unix µs) and later, and then further and
  // further back, to the hour of `born_us` (when the store was made; nothing of it is older). Each
  // head once, the one written last first. Needs s3:ListBucket and s3:GetObject. Empty: none of
  // these is this store's and has a head. If there are more than are asked, and none of those has
  // one, the newest of `given` ("s3://bucket/key", the newest first) that has one counts.
  tl::expected<std::vector<KeptHead>, aws::ServiceFailure> kept(
      std::int64_t since_us, std::int64_t born_us, const std::vector<std::string>& given);

 private:
  using Entries = std::vector<S3Listing::Entry>;

  tl::expected<Entries, aws::ServiceFailure> newest_first(std::int64_t since_us,
                                                          std::int64_t born_us);
  // Adds the objects with records in the keys after `after` and, unless that is empty, before
  // `before`.
  tl::expected<void, aws::ServiceFailure> list_between(const std::string& after,
                                                       const std::string& before, Entries& found);
  tl::unexpected<aws::ServiceFailure> none_of_so_many(std::int64_t since_us) const;
  // That of the newest of these places that has one.
  tl::expected<std::optional<KeptHead>, aws::ServiceFailure> find_given(
      const std::vector<std::string>& given);
  // None: the object is gone by now, or head_in() finds none.
  tl::expected<std::optional<KeptHead>, aws::ServiceFailure> ask(const std::string& key);
  // The head that an object's metadata has; none if it has none, or is another store's.
  std::optional<KeptHead> head_in(const std::string& key, const aws::HttpResponse& answer) const;

  const std::string bucket_;
  const ObjectLayout layout_;
  S3ObjectReader reader_;
  PatientCaller caller_;
};

}  // namespace invlog::exporters
