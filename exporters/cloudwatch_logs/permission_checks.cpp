// What `invlog doctor` asks CloudWatch Logs: each permission that delivery needs, by using it.
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exporters/cloudwatch_logs/cloudwatch_logs_batch.h"
#include "exporters/cloudwatch_logs/cloudwatch_logs_destination.h"

namespace invlog::exporters {
namespace {

using aws::FailureKind;

template <typename Value>
std::optional<FailureKind> failure_in(const tl::expected<Value, aws::ServiceFailure>& answer) {
  return answer ? std::nullopt : std::optional(answer.error().kind);
}

// As AWS's own service writes into a log group that it is told to log to; not JSON there either.
constexpr std::string_view kPermissionLine = "Permissions are correctly set for invlog.";

template <typename Result>
std::optional<std::chrono::milliseconds> pause_asked_for(const Result& result) {
  return result ? std::nullopt : result.error().retry_after;
}

Destination::Check stream_check(std::string what,
                                const tl::expected<bool, aws::ServiceFailure>& made) {
  if (!made && made.error().kind == FailureKind::denied) {
    return {std::move(what), true,
            "not allowed, which is no matter where the stream is there: " + made.error().message};
  }
  return {std::move(what), made.has_value(),
          !made   ? made.error().message
          : *made ? "created"
                  : "exists already",
          failure_in(made), pause_asked_for(made)};
}

Destination::Check put_check(const std::string& where,
                             const tl::expected<void, aws::ServiceFailure>& sent) {
  return {"logs:PutLogEvents on " + where, sent.has_value(),
          sent ? "wrote \"" + std::string(kPermissionLine) + "\"" : sent.error().message,
          failure_in(sent), pause_asked_for(sent)};
}

}  // namespace

void CloudWatchLogsDestination::check_group(const Origin& origin, std::vector<Check>& checks) {
  Check check{"logs:DescribeLogGroups on " + target_.group, true, ""};
  const auto proven = prove_region(origin);
  if (!proven) {
    check.ok = false;
    check.detail = proven.error().message;
    check.failure = proven.error().kind;
    check.retry_after = proven.error().retry_after;
  } else if (*proven) {
    check.detail = "the log group is in " + options_.region;
  } else {
    check.detail =
        "showed no log group: there is none yet, or this is not allowed, which is no "
        "matter; the Region is that of the endpoint " +
        service_.options().endpoint +
        (options_.endpoint.empty() ? "" : ", as region_attested says");
  }
  checks.push_back(std::move(check));
}

void CloudWatchLogsDestination::check_creating(std::vector<Check>& checks) {
  const std::string on = " on " + target_.group;
  auto stream = client_.create_log_stream(target_.group, target_.stream);
  bool group_made = false;
  if (!stream && stream.error().kind == FailureKind::not_found) {
    const auto group = client_.create_log_group(target_.group, options_.kms_key_arn);
    checks.push_back({"logs:CreateLogGroup" + on, group.has_value(),
                      group ? "created" : group.error().message, failure_in(group),
                      pause_asked_for(group)});
    if (!group) {
      return;
    }
    group_made = *group;
    stream = client_.create_log_stream(target_.group, target_.stream);
  }
  checks.push_back(stream_check("logs:CreateLogStream" + on + " " + target_.stream, stream));
  if (options_.retention_days == 0 || checks.back().retry_after) {
    return;
  }
  Check retention{"logs:PutRetentionPolicy" + on, true,
                  "not tried: the log group was there before, and its retention stays as it is"};
  if (group_made || setup_.retention_due()) {
    const auto set = client_.put_retention_policy(target_.group, options_.retention_days);
    retention.ok = set.has_value();
    retention.retry_after = pause_asked_for(set);
    retention.detail =
        set ? std::to_string(options_.retention_days) + " days" : set.error().message;
    retention.failure = failure_in(set);
  }
  checks.push_back(std::move(retention));
}

// As batches are sent: what passes here must not be what a batch is refused for.
void CloudWatchLogsDestination::check_put(std::vector<Check>& checks) {
  auto sent = send_line(target_.stream, kPermissionLine, gzip_taken_);
  if (!sent && gzip_taken_ && is_about_encoding(sent.error())) {
    sent = send_line(target_.stream, kPermissionLine);  // as a batch would
  }
  checks.push_back(put_check(target(), sent));
}

// As chain heads are sent, which no record waits for: nobody else would notice that they do not
// arrive.
void CloudWatchLogsDestination::check_integrity(std::vector<Check>& checks) {
  const auto sent = send_line(target_.integrity_stream, kPermissionLine);
  checks.push_back(put_check(target_.group + " " + target_.integrity_stream, sent));
  checks.back().for_records = false;
}

std::vector<Destination::Check> CloudWatchLogsDestination::check(const Origin& origin) {
  std::vector<Check> checks;
  if (const auto allowed = check_configuration(origin); !allowed) {
    checks.push_back(
        {"CloudWatch Logs " + target(), false, allowed.error().message, allowed.error().kind});
    return checks;
  }
  check_group(origin, checks);
  if (!checks.back().ok) {
    return checks;  // not a byte goes where the Region is not proven
  }
  if (options_.create) {
    check_creating(checks);
  }
  if (!checks.back().retry_after) {
    check_put(checks);
  }
  if (checks.back().ok) {
    check_integrity(checks);
  }
  return checks;
}

}  // namespace invlog::exporters
