// Reads a bucket: ListObjectsV2, GetObject and HeadObject. Source: S3 API reference.
//
// Unlike S3Client's, this bucket may be in any Region: nothing of ours goes there. Its Region is
// asked for first (HeadBucket's x-amz-bucket-region), and requests are signed for that one. Behind
// a custom endpoint the Region of the options is taken.
//
// Threads: one. Ownership: HttpClient and provider must outlive it. Errors: results.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "exporters/aws/service_client.h"
#include "exporters/s3/s3_options.h"

namespace invlog::exporters {

struct S3Listing {
  struct Entry {
    std::string key;
    std::uint64_t bytes = 0;
    std::string modified;  // ISO 8601 in UTC, which sorts as text
  };
  std::vector<Entry> entries;
  std::string next;  // continuation token, "" at the end
};

class S3ObjectReader {
 public:
  // Of the options region, bucket, endpoint and path_style count.
  S3ObjectReader(S3Options options, aws::HttpClient& http, aws::CredentialsProvider& credentials,
                 aws::SystemClock clock);

  // Call it before the others.
  tl::expected<void, aws::ServiceFailure> find_region();
  // A page of at most 1,000 objects, in the order of keys; of the first page, those after `after`.
  tl::expected<S3Listing, aws::ServiceFailure> list(const std::string& prefix,
                                                    const std::string& continuation,
                                                    const std::string& after = "");
  aws::ServiceResult get(const std::string& key);
  aws::ServiceResult head(const std::string& key);

  const std::string& region() const { return options_.region; }

 private:
  void connect();

  S3Options options_;
  aws::HttpClient& http_;
  aws::CredentialsProvider& credentials_;
  const aws::SystemClock clock_;
  std::unique_ptr<aws::ServiceClient> service_;
};

// The answer of ListObjectsV2; the error says what is wrong with it.
tl::expected<S3Listing, std::string> read_listing(const std::string& xml);

}  // namespace invlog::exporters
