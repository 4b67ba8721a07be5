// The three calls of S3 that delivery makes (PutObject, HeadBucket, HeadObject), on one bucket.
// Source: S3 API reference; facts/aws-delivery.md §2.
//
// Whatever an answer says about another Region than the source Region (a redirect,
// x-amz-bucket-region, <Region> in an error) is FailureKind::redirected, on every call, for good: a
// bucket can be deleted and made anew elsewhere while an agent runs.
//
// Threads: one. Ownership: options, HttpClient and provider must outlive it. Errors: results.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "exporters/aws/service_client.h"
#include "exporters/s3/s3_options.h"

namespace invlog::exporters {

// Which records an object holds, "first-last", and whose: metadata that S3Batch gives it.
inline constexpr const char* kRecordsHeader = "x-amz-meta-invlog-records";
inline constexpr const char* kHostHeader = "x-amz-meta-invlog-host";

struct S3Object {
  std::string key;
  std::string_view bytes;
  std::string content_type = "application/json";
  aws::HttpHeaders metadata;  // x-amz-meta-...
};

class S3Client {
 public:
  S3Client(const S3Options& options, aws::HttpClient& http, aws::CredentialsProvider& credentials,
           aws::SystemClock clock);

  // Stores the whole object or nothing. With S3Options::if_none_match an object that is there
  // already counts as stored if it is the same (checksum, else size), or of the same records of
  // this host: what an erasure changed since is erased there by whoever erases (erase names the
  // place). Another one is FailureKind::rejected.
  tl::expected<void, aws::ServiceFailure> put(const S3Object& object);

  aws::ServiceResult head_bucket();
  aws::ServiceResult head_object(const std::string& key);

  // scheme://host[:port] that requests go to, the bucket in it unless path style.
  const std::string& endpoint() const { return service_.options().endpoint; }
  const S3Options& options() const { return options_; }

 private:
  aws::ServiceResult call(aws::ServiceRequest request);
  tl::expected<void, aws::ServiceFailure> compare_existing(const S3Object& object,
                                                           const std::string& checksum);

  const S3Options& options_;
  aws::ServiceClient service_;
};

// Whether the bucket stands in the path: as configured, and where it cannot be part of a host name
// (a name with dots has no certificate, an IP address no subdomains).
bool uses_path_style(const S3Options& options);
// scheme://host[:port] for the bucket, from the options.
std::string bucket_endpoint(const S3Options& options);
// The path of an object there; "" the bucket's own.
std::string object_path(const S3Options& options, std::string_view key);
aws::ServiceRequest head_bucket_request(const S3Options& options);

}  // namespace invlog::exporters
