// What [exporters.cloudwatch_logs] says, after defaults and checks. A plain value.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace invlog::exporters {

// Behind the stream's name: the stream that chain heads go to.
inline constexpr std::string_view kIntegritySuffix = "/integrity";

struct CloudWatchLogsOptions {
  std::string region;     // source Region
  std::string log_group;  // 1 to 512 of [.\-_/#A-Za-z0-9], not beginning with "aws/"
  // 1 to 512 with what goes behind it, without ':' and '*'
  std::string log_stream = "aws/bedrock/modelinvocations";
  bool host_suffix = false;      // append "/<host>" to the stream's name
  std::string endpoint;          // scheme://host[:port], "" AWS's own for the Region
  bool region_attested = false;  // somebody vouches that a custom endpoint is in the Region
  std::uint64_t batch_bytes = 1'048'576;      // as the service counts: message + 26 for each event
  std::chrono::milliseconds batch_age{5000};  // a record waits no longer for company
  bool create = true;                         // create group and stream if they are missing
  int retention_days = 0;   // PutRetentionPolicy on a group that we created, 0: never expires
  std::string kms_key_arn;  // for a group that we create, "" none
  bool from_now = false;    // start = "now"
  bool operator==(const CloudWatchLogsOptions&) const = default;
};

}  // namespace invlog::exporters
