// [exporters.*], [aws] and [retention], after defaults and checks. Plain values; part of
// AgentConfig.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "exporters/cloudwatch_logs/cloudwatch_logs_options.h"
#include "exporters/s3/s3_options.h"

namespace invlog::config {

// What invlog's own calls of AWS need.
struct AwsConfig {
  std::string profile;       // "" AWS_PROFILE, or the default chain
  std::string sts_endpoint;  // scheme://host[:port], "" AWS_ENDPOINT_URL_STS, or the Region's own
  // scheme://host[:port], "" AWS_ENDPOINT_URL_CLOUDTRAIL, or the Region's own
  std::string cloudtrail_endpoint;
  // Of Bedrock's control plane, scheme://host[:port]; "" AWS_ENDPOINT_URL_BEDROCK, or the Region's
  // own
  std::string bedrock_endpoint;
  std::string ca_bundle;  // PEM file for AWS's endpoints, "" AWS_CA_BUNDLE, or the system's
  bool operator==(const AwsConfig&) const = default;
};

// What the store may grow to. storage::RetentionOptions is made from it.
struct RetentionConfig {
  std::uint64_t max_size_bytes = 0;  // of the store's file with its log, 0: no limit
  std::chrono::seconds max_age{0};   // of a record, 0: no limit
  bool keep_undelivered = true;      // a record that a destination has not got yet stays
  bool operator==(const RetentionConfig&) const = default;
};

struct ExportersConfig {
  std::optional<exporters::S3Options> s3;
  std::optional<exporters::CloudWatchLogsOptions> cloudwatch_logs;
  bool operator==(const ExportersConfig&) const = default;
};

}  // namespace invlog::config
