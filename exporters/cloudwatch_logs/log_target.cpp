#include "exporters/cloudwatch_logs/log_target.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "exporters/aws/endpoints.h"
#include "exporters/endpoint_check.h"

namespace invlog::exporters {
namespace {

using aws::FailureKind;
using aws::ServiceFailure;

constexpr int kRetentionDays[] = {1,   3,   5,   7,   14,   30,   60,   90,   120,  150,  180,
                                  365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};
constexpr std::size_t kLongestName = 512;

tl::unexpected<ServiceFailure> refuse(FailureKind kind, std::string message) {
  ServiceFailure failure;
  failure.kind = kind;
  failure.message = std::move(message);
  return tl::unexpected(std::move(failure));
}

bool is_group_character(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') ||
         std::string_view(".-_/#").find(byte) != std::string_view::npos;
}

bool is_group_name(const std::string& name) {
  return !name.empty() && name.size() <= kLongestName && !name.starts_with("aws/") &&
         std::all_of(name.begin(), name.end(), is_group_character);
}

bool is_stream_name(const std::string& name) {
  return !name.empty() && name.size() <= kLongestName &&
         name.find_first_of(":*") == std::string::npos;
}

}  // namespace

LogTarget log_target(const CloudWatchLogsOptions& options, const std::string& host) {
  LogTarget target{options.log_group, options.log_stream, {}};
  if (options.host_suffix) {
    std::string suffix = host;
    std::replace_if(
        suffix.begin(), suffix.end(), [](char byte) { return byte == ':' || byte == '*'; }, '-');
    target.stream += "/" + suffix;
  }
  target.integrity_stream = target.stream + std::string(kIntegritySuffix);
  return target;
}

std::string logs_endpoint(const CloudWatchLogsOptions& options) {
  return options.endpoint.empty() ? "https://" + aws::service_host("logs", options.region)
                                  : options.endpoint;
}

tl::expected<void, ServiceFailure> check_target(const CloudWatchLogsOptions& options,
                                                const LogTarget& target) {
  if (!is_group_name(target.group)) {
    return refuse(FailureKind::rejected,
                  "exporters.cloudwatch_logs.log_group = \"" + target.group +
                      "\": the service takes 1 to 512 of A-Z a-z 0-9 . - _ / #, not beginning with "
                      "\"aws/\"");
  }
  if (target.stream.empty() || !is_stream_name(target.integrity_stream)) {
    return refuse(FailureKind::rejected,
                  "exporters.cloudwatch_logs.log_stream = \"" + target.stream +
                      "\": the service takes 1 to 512 bytes without ':' and '*', and the stream "
                      "of chain heads has " +
                      std::string(kIntegritySuffix) + " behind it");
  }
  if (options.retention_days != 0 &&
      std::find(std::begin(kRetentionDays), std::end(kRetentionDays), options.retention_days) ==
          std::end(kRetentionDays)) {
    return refuse(
        FailureKind::rejected,
        "exporters.cloudwatch_logs.retention_days = " + std::to_string(options.retention_days) +
            ": the service takes 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, "
            "545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days, and 0 means "
            "without end");
  }
  return options.endpoint.empty()
             ? tl::expected<void, ServiceFailure>()
             : check_endpoint("logs", "exporters.cloudwatch_logs", options.endpoint, options.region,
                              options.region_attested);
}

}  // namespace invlog::exporters
