// What [exporters.s3] says, after defaults and checks. A plain value.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace invlog::exporters {

enum class Compression { gzip, zstd, none };
enum class Checksum { sha256, crc32, crc32c };

struct S3Options {
  std::string region;            // source Region
  std::string bucket;            // a name; ARNs, access points and multi-Region aliases are refused
  std::string prefix;            // before AWSLogs/, without slashes at its ends, "" none
  std::string endpoint;          // scheme://host[:port], "" AWS's own for the Region
  bool path_style = false;       // endpoint/bucket/key instead of bucket.endpoint/key
  bool region_attested = false;  // somebody vouches that a custom endpoint is in the Region
  std::uint64_t batch_bytes = 5'000'000;       // of an object, compressed
  std::chrono::milliseconds batch_age{60000};  // a record waits no longer for company
  Compression compression = Compression::gzip;
  bool large_bodies = true;                  // bodies over large_body_bytes become objects of data/
  std::uint64_t large_body_bytes = 102'400;  // AWS says "100 KB"
  Checksum checksum = Checksum::sha256;      // sent as a header, never as a trailer
  std::string encryption;   // x-amz-server-side-encryption: "" the bucket's default, "AES256",
                            // "aws:kms", "aws:kms:dsse"
  std::string kms_key_id;   // id, ARN or alias
  bool bucket_key = false;  // x-amz-server-side-encryption-bucket-key-enabled
  std::string expected_bucket_owner;        // 12 digits, "" none
  std::string storage_class;                // "" the bucket's default
  std::map<std::string, std::string> tags;  // x-amz-tagging
  bool if_none_match = false;               // for buckets whose policy demands If-None-Match: *
  bool from_now = false;  // start = "now": records from before this destination was configured
                          // stay here
  bool operator==(const S3Options&) const = default;
};

}  // namespace invlog::exporters
