#include "exporters/cloudwatch_logs/log_group_setup.h"

#include <utility>

namespace invlog::exporters {

using aws::FailureKind;
using aws::ServiceFailure;

ServiceFailure explained(ServiceFailure failure, const CloudWatchLogsOptions& options,
                         const std::string& stream, const char* action) {
  if (failure.kind == FailureKind::denied) {
    failure.message += std::string("; allow logs:") + action + " on log group " +
                       options.log_group + " in " + options.region;
  } else if (failure.kind == FailureKind::not_found && !options.create) {
    failure.message += "; log group " + options.log_group + " or its stream " + stream +
                       " does not exist in " + options.region +
                       ": create both, or set exporters.cloudwatch_logs.create = true";
  } else if (failure.kind == FailureKind::redirected) {
    failure.message += "; no redirect is followed, and nothing was delivered";
  }
  return failure;
}

tl::expected<void, ServiceFailure> LogGroupSetup::create_group() {
  const tl::expected<bool, ServiceFailure> made =
      client_.create_log_group(options_.log_group, options_.kms_key_arn);
  if (!made) {
    return tl::unexpected(explained(made.error(), options_, "", "CreateLogGroup"));
  }
  made_ = made_ || *made;
  retention_due_ = retention_due_ || (*made && options_.retention_days > 0);
  return {};
}

void LogGroupSetup::found(const LogGroupShown& group) {
  retention_due_ =
      retention_due_ || (options_.retention_days > 0 && options_.create &&
                         group.name == options_.log_group && group.is_new_and_unlimited);
}

tl::expected<void, ServiceFailure> LogGroupSetup::ensure(const std::string& stream,
                                                         StreamDenied denied) {
  tl::expected<bool, ServiceFailure> made = client_.create_log_stream(options_.log_group, stream);
  if (!made && made.error().kind == FailureKind::not_found) {
    if (const auto group = create_group(); !group) {
      return group;
    }
    made = client_.create_log_stream(options_.log_group, stream);
  }
  const bool slower =
      !made && (made.error().kind == FailureKind::throttled || made.error().retry_after);
  if (retention_due_ && !slower) {
    const auto set = client_.put_retention_policy(options_.log_group, options_.retention_days);
    // Of a group that was there, it may be somebody else's business.
    const bool not_ours = !set && !made_ && set.error().kind == FailureKind::denied;
    if (!set && !not_ours) {
      return tl::unexpected(explained(set.error(), options_, stream, "PutRetentionPolicy"));
    }
    retention_due_ = false;
  }
  const bool may_be_there =
      denied == StreamDenied::taken_as_there && !made && made.error().kind == FailureKind::denied;
  if (!made && !may_be_there) {
    return tl::unexpected(explained(made.error(), options_, stream, "CreateLogStream"));
  }
  return {};
}

}  // namespace invlog::exporters
