#include "exporters/cloudwatch_logs/logs_client.h"

#include <simdjson.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "storage/json_writer.h"

namespace invlog::exporters {
namespace {

using aws::FailureKind;
using aws::ServiceFailure;
using simdjson::dom::element;
using simdjson::dom::object;

ServiceFailure unreadable(const std::string& what, const std::string& why) {
  ServiceFailure failure;
  failure.kind = FailureKind::transient;
  failure.status = 200;
  failure.message = what + ": the answer cannot be read (" + why +
                    "); is the endpoint CloudWatch Logs? The call will be made again";
  return failure;
}

// One of the positions; false if it is there but no number. What is over any batch's length is as
// good as the largest number; below zero means nothing.
bool read_position(const object& info, std::string_view name, std::optional<std::int64_t>& out) {
  const auto found = info[name];
  if (found.error() == simdjson::NO_SUCH_FIELD) {
    return true;
  }
  element value;
  if (found.get(value) != simdjson::SUCCESS) {
    return false;
  }
  if (value.is_null()) {
    return true;
  }
  std::int64_t number = 0;
  if (value.is_uint64() && !value.is_int64()) {
    number = std::numeric_limits<std::int64_t>::max();
  } else if (value.get(number) != simdjson::SUCCESS) {
    return false;
  }
  if (number >= 0) {
    out = number;
  }
  return true;
}

tl::expected<RejectedEvents, std::string> read_rejected(std::string_view body) {
  simdjson::dom::parser parser;
  object answer;
  if (const auto error = parser.parse(body.data(), body.size()).get(answer)) {
    return tl::unexpected(std::string(simdjson::error_message(error)));
  }
  RejectedEvents rejected;
  const auto found = answer["rejectedLogEventsInfo"];
  if (found.error() == simdjson::NO_SUCH_FIELD || found.is_null()) {
    return rejected;
  }
  object info;
  if (found.get(info) != simdjson::SUCCESS ||
      !read_position(info, "tooNewLogEventStartIndex", rejected.too_new_start) ||
      !read_position(info, "tooOldLogEventEndIndex", rejected.too_old_end) ||
      !read_position(info, "expiredLogEventEndIndex", rejected.expired_end)) {
    return tl::unexpected(std::string("rejectedLogEventsInfo is not what it should be"));
  }
  return rejected;
}

std::string text_of(const element& group, std::string_view name) {
  std::string_view text;
  return group[name].get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

// arn:aws:logs:eu-central-1:123456789012:log-group:/invlog/records:*
void read_arn(LogGroupShown& group) {
  std::vector<std::string_view> parts;
  std::string_view rest = group.arn;
  while (parts.size() < 5 && rest.find(':') != std::string_view::npos) {
    parts.push_back(rest.substr(0, rest.find(':')));
    rest.remove_prefix(rest.find(':') + 1);
  }
  if (parts.size() == 5 && parts[0] == "arn" && parts[2] == "logs") {
    group.region = parts[3];
    group.account = parts[4];
  }
}

tl::expected<std::optional<LogGroupShown>, std::string> read_first_group(std::string_view body) {
  simdjson::dom::parser parser;
  simdjson::dom::array groups;
  if (const auto error = parser.parse(body.data(), body.size())["logGroups"].get(groups)) {
    return tl::unexpected(std::string(simdjson::error_message(error)));
  }
  if (groups.begin() == groups.end()) {
    return std::optional<LogGroupShown>();
  }
  const element first = *groups.begin();
  LogGroupShown group;
  group.name = text_of(first, "logGroupName");
  group.arn = text_of(first, "arn");
  read_arn(group);
  std::int64_t bytes = 0, days = 0;
  group.is_new_and_unlimited = first["storedBytes"].get(bytes) == simdjson::SUCCESS && bytes == 0 &&
                               first["retentionInDays"].get(days) == simdjson::NO_SUCH_FIELD;
  return group;
}

tl::expected<EventPage, std::string> read_events(std::string_view body) {
  simdjson::dom::parser parser;
  element answer;
  simdjson::dom::array events;
  if (const auto error = parser.parse(body.data(), body.size()).get(answer)) {
    return tl::unexpected(std::string(simdjson::error_message(error)));
  }
  if (const auto error = answer["events"].get(events)) {
    return tl::unexpected(std::string(simdjson::error_message(error)));
  }
  EventPage page;
  for (const element event : events) {
    page.messages.push_back(text_of(event, "message"));
  }
  page.backward = text_of(answer, "nextBackwardToken");
  return page;
}

// Creating what exists is as good as creating it.
tl::expected<bool, ServiceFailure> created(const aws::ServiceResult& answer) {
  if (answer) {
    return true;
  }
  if (answer.error().code == "ResourceAlreadyExistsException") {
    return false;
  }
  return tl::unexpected(answer.error());
}

}  // namespace

aws::ServiceResult LogsClient::call(const char* operation, std::string_view body,
                                    const std::string& what, bool gzip) {
  aws::ServiceRequest request;
  request.headers = {{"Content-Type", "application/x-amz-json-1.1"},
                     {"X-Amz-Target", std::string("Logs_20140328.") + operation}};
  if (gzip) {
    request.headers.emplace_back("Content-Encoding", "gzip");
  }
  request.body = body;
  request.what = what;
  aws::ServiceResult answer = service_.call(request);
  if (!answer && answer.error().code == "OperationAbortedException") {
    answer.error().kind = FailureKind::transient;
  }
  return answer;
}

tl::expected<RejectedEvents, ServiceFailure> LogsClient::put_log_events(std::string_view body,
                                                                        bool gzip,
                                                                        const std::string& target) {
  const std::string what = "PutLogEvents " + target;
  const aws::ServiceResult answer = call("PutLogEvents", body, what, gzip);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  tl::expected<RejectedEvents, std::string> rejected = read_rejected(answer->body);
  if (!rejected) {
    return tl::unexpected(unreadable(what, rejected.error()));
  }
  return *rejected;
}

tl::expected<EventPage, ServiceFailure> LogsClient::get_log_events(const std::string& group,
                                                                   const std::string& stream,
                                                                   const std::string& token) {
  std::string body = "{";
  storage::append_json_member(body, "logGroupName", group);
  storage::append_json_member(body, "logStreamName", stream);
  storage::append_json_raw(body, "startFromHead", "false");
  if (!token.empty()) {
    storage::append_json_member(body, "nextToken", token);
  }
  body += '}';
  const std::string what = "GetLogEvents " + group + " " + stream;
  const aws::ServiceResult answer = call("GetLogEvents", body, what);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  tl::expected<EventPage, std::string> page = read_events(answer->body);
  if (!page) {
    return tl::unexpected(unreadable(what, page.error()));
  }
  return *std::move(page);
}

tl::expected<bool, ServiceFailure> LogsClient::create_log_group(const std::string& group,
                                                                const std::string& kms_key_arn) {
  std::string body = "{";
  storage::append_json_member(body, "logGroupName", group);
  if (!kms_key_arn.empty()) {
    storage::append_json_member(body, "kmsKeyId", kms_key_arn);
  }
  body += '}';
  aws::ServiceResult answer = call("CreateLogGroup", body, "CreateLogGroup " + group);
  if (!answer && answer.error().code == "LimitExceededException") {
    answer.error().kind = FailureKind::rejected;
    answer.error().message +=
        "; the account has no room for another log group: name one that exists";
  }
  return created(answer);
}

tl::expected<bool, ServiceFailure> LogsClient::create_log_stream(const std::string& group,
                                                                 const std::string& stream) {
  std::string body = "{";
  storage::append_json_member(body, "logGroupName", group);
  storage::append_json_member(body, "logStreamName", stream);
  body += '}';
  return created(call("CreateLogStream", body, "CreateLogStream " + group + " " + stream));
}

tl::expected<void, ServiceFailure> LogsClient::put_retention_policy(const std::string& group,
                                                                    int days) {
  std::string body = "{";
  storage::append_json_member(body, "logGroupName", group);
  storage::append_json_number(body, "retentionInDays", days);
  body += '}';
  const aws::ServiceResult answer = call("PutRetentionPolicy", body, "PutRetentionPolicy " + group);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  return {};
}

tl::expected<std::optional<LogGroupShown>, ServiceFailure> LogsClient::first_log_group(
    const std::string& prefix) {
  std::string body = "{";
  storage::append_json_member(body, "logGroupNamePrefix", prefix);
  storage::append_json_number(body, "limit", 1);
  body += '}';
  const std::string what = "DescribeLogGroups " + prefix;
  const aws::ServiceResult answer = call("DescribeLogGroups", body, what);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  tl::expected<std::optional<LogGroupShown>, std::string> group = read_first_group(answer->body);
  if (!group) {
    return tl::unexpected(unreadable(what, group.error()));
  }
  return *std::move(group);
}

}  // namespace invlog::exporters
