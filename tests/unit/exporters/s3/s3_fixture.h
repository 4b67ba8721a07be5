// What the tests of the S3 destination share: a fake S3 with a destination on it, and records.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "exporters/aws/credentials.h"
#include "exporters/destination.h"
#include "exporters/s3/s3_options.h"
#include "storage/reader.h"
#include "tests/unit/exporters/s3/fake_s3.h"

namespace invlog::exporters {

constexpr std::int64_t kStartedAt = 1'790'000'000'123'456;  // 2026-09-21T14:13:20.123456Z
constexpr std::int64_t kHour = 3'600'000'000;               // µs
inline const std::string kFolder = "AWSLogs/111122223333/BedrockModelInvocationLogs/eu-central-1/";
inline const std::string kHourFolder = kFolder + "2026/09/21/14/";

aws::Credentials test_credentials();
std::chrono::system_clock::time_point test_time();

class FixedCredentials : public aws::CredentialsProvider {
 public:
  aws::ProvideResult provide() override { return test_credentials(); }
};

S3Options test_options();
Origin test_origin();
// A record of this id with small JSON bodies and a request id of its own.
storage::StoredRecord test_record(std::int64_t id, std::int64_t started_at_us = kStartedAt);

// A fake S3 and a destination that delivers to it.
struct S3Fixture {
  explicit S3Fixture(S3Options options = test_options());

  std::unique_ptr<Batch> batch(const std::vector<storage::StoredRecord>& records,
                               const std::string& plan = "", bool retry = false);
  // A second destination on the same fake, as after a restart with other options.
  std::unique_ptr<Destination> restarted(S3Options options);

  FakeS3 s3;
  FixedCredentials credentials;
  Origin origin = test_origin();
  std::unique_ptr<Destination> destination;
};

// What a reader of the object sees, whatever the ending says: .gz, .zst or neither. Throws on
// damage.
std::string decompressed(const std::string& key, const std::string& bytes);
std::vector<std::string> lines_of(const std::string& text);

}  // namespace invlog::exporters
