#include "tests/unit/exporters/cloudwatch_logs/fake_logs_service.h"

#include <libdeflate.h>
#include <simdjson.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "storage/json_writer.h"

namespace invlog::test {
namespace {

using aws::HttpResponse;
using simdjson::dom::element;

constexpr std::int64_t kHourMs = 3'600'000;

std::string header(const aws::HttpHeaders& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (std::equal(key.begin(), key.end(), name.begin(), name.end(),
                   [](char one, char other) { return std::tolower(one) == std::tolower(other); })) {
      return value;
    }
  }
  return "";
}

std::optional<std::string> unpack(std::string_view bytes) {
  // The length is in the last four bytes.
  std::size_t length = 0;
  for (std::size_t i = 0; i < std::min<std::size_t>(4, bytes.size()); ++i) {
    length = length << 8 | static_cast<unsigned char>(bytes[bytes.size() - 1 - i]);
  }
  std::string out(std::min<std::size_t>(length, 64 << 20), '\0');
  libdeflate_decompressor* decompressor = libdeflate_alloc_decompressor();
  std::size_t size = 0;
  const auto result = libdeflate_gzip_decompress(decompressor, bytes.data(), bytes.size(),
                                                 out.data(), out.size(), &size);
  libdeflate_free_decompressor(decompressor);
  if (result != LIBDEFLATE_SUCCESS) {
    return std::nullopt;
  }
  out.resize(size);
  return out;
}

HttpResponse ok(std::string body = "{}") {
  return {200, {{"content-type", "application/x-amz-json-1.1"}}, std::move(body)};
}

std::string text(const element& object, const char* name) {
  std::string_view found;
  return object[name].get(found) == simdjson::SUCCESS ? std::string(found) : "";
}

}  // namespace

HttpResponse FakeLogsService::error(const std::string& code, const std::string& message,
                                    int status) {
  return {status,
          {{"x-amzn-requestid", "1-2-3"}},
          R"({"__type":"com.amazonaws.logs#)" + code + R"(","message":")" + message + R"("})"};
}

void FakeLogsService::answer_next(const std::string& operation, aws::HttpResult answer) {
  answers_[operation].push_back(std::move(answer));
}

std::vector<std::string> FakeLogsService::operations() const {
  std::vector<std::string> names;
  for (const Call& call : calls) {
    names.push_back(call.operation);
  }
  return names;
}

bool FakeLogsService::has_stream(const std::string& group, const std::string& stream) const {
  const auto found = groups_.find(group);
  return found != groups_.end() && found->second.count(stream) != 0;
}

aws::HttpResult FakeLogsService::send(const aws::HttpRequest& request) {
  Call call;
  call.url = request.url;
  call.headers = request.headers;
  call.wire_bytes = request.body.size();
  const std::string target = header(request.headers, "x-amz-target");
  constexpr std::string_view kPrefix = "Logs_20140328.";
  if (request.method != "POST" || !target.starts_with(kPrefix) ||
      header(request.headers, "content-type") != "application/x-amz-json-1.1" ||
      header(request.headers, "authorization").empty()) {
    return error("UnknownOperationException");
  }
  call.operation = target.substr(kPrefix.size());
  call.gzip = header(request.headers, "content-encoding") == "gzip";
  call.body = request.body;
  if (call.gzip) {
    const auto plain = takes_gzip ? unpack(request.body) : std::nullopt;
    if (!plain) {
      calls.push_back(call);
      return error("SerializationException", "not JSON");
    }
    call.body = *plain;
  }
  calls.push_back(call);
  std::deque<aws::HttpResult>& queue = answers_[call.operation];
  if (!queue.empty()) {
    aws::HttpResult answer = std::move(queue.front());
    queue.pop_front();
    return answer;
  }
  HttpResponse response = perform(call);
  if (lost_.erase(call.operation) != 0) {
    return tl::unexpected(aws::HttpFailure{aws::HttpFailure::Kind::broken, "connection reset"});
  }
  return response;
}

// Pages of two, so that a few events make some.
HttpResponse FakeLogsService::get_log_events(const std::string& group, const std::string& stream,
                                             const std::string& token) {
  if (groups_[group].count(stream) == 0) {
    return error("ResourceNotFoundException", "The specified log stream does not exist.");
  }
  const std::vector<Event>& all = groups_[group][stream];
  const std::size_t end = token.empty() ? all.size() : std::stoul(token.substr(2));
  const std::size_t first = end > 2 ? end - 2 : 0;
  std::string events;
  for (std::size_t at = first; at < end; ++at) {
    events += events.empty() ? "{" : ",{";
    storage::append_json_number(events, "timestamp", all[at].timestamp_ms);
    storage::append_json_member(events, "message", all[at].message);
    events += '}';
  }
  return ok(R"({"events":[)" + events + R"(],"nextBackwardToken":"b/)" + std::to_string(first) +
            R"("})");
}

HttpResponse FakeLogsService::perform(const Call& call) {
  simdjson::dom::parser parser;
  element request;
  if (parser.parse(call.body).get(request) != simdjson::SUCCESS) {
    return error("SerializationException");
  }
  const std::string group = text(request, "logGroupName"), stream = text(request, "logStreamName");
  if (call.operation == "PutLogEvents") {
    return put_log_events(call);
  }
  if (call.operation == "DescribeLogGroups") {
    return describe_log_groups(call);
  }
  if (call.operation == "CreateLogGroup") {
    if (groups_.count(group) != 0) {
      return error("ResourceAlreadyExistsException");
    }
    groups_[group];
    keys[group] = text(request, "kmsKeyId");
    return ok("");
  }
  if (groups_.count(group) == 0) {
    return error("ResourceNotFoundException", "The specified log group does not exist.");
  }
  if (call.operation == "GetLogEvents") {
    return get_log_events(group, stream, text(request, "nextToken"));
  }
  if (call.operation == "CreateLogStream") {
    if (groups_[group].count(stream) != 0) {
      return error("ResourceAlreadyExistsException");
    }
    groups_[group][stream];
    return ok("");
  }
  if (call.operation == "PutRetentionPolicy") {
    retention[group] = static_cast<int>(request["retentionInDays"].get_int64().value());
    return ok("");
  }
  return error("UnknownOperationException");
}

HttpResponse FakeLogsService::describe_log_groups(const Call& call) {
  simdjson::dom::parser parser;
  const element request = parser.parse(call.body);
  const std::string prefix = text(request, "logGroupNamePrefix");
  for (const auto& [name, streams] : groups_) {
    if (name.starts_with(prefix)) {
      return ok(
          R"({"logGroups":[{"logGroupName":")" + name + R"(","arn":"arn:aws:logs:)" + region + ":" +
          account + ":log-group:" + name + R"(:*","storedBytes":)" + std::to_string(stored_bytes) +
          (retention.count(name) == 0 ? ""
                                      : ",\"retentionInDays\":" + std::to_string(retention[name])) +
          R"(}],"nextToken":"x"})");
    }
  }
  return ok(R"({"logGroups":[]})");
}

HttpResponse FakeLogsService::put_log_events(const Call& call) {
  simdjson::dom::parser parser;
  const element request = parser.parse(call.body);
  const std::string group = text(request, "logGroupName"), stream = text(request, "logStreamName");
  if (!has_stream(group, stream)) {
    return error("ResourceNotFoundException", "The specified log stream does not exist.");
  }
  std::vector<Event> events;
  std::size_t bytes = 0;
  for (const element event : request["logEvents"].get_array()) {
    events.push_back({event["timestamp"].get_int64().value(), text(event, "message")});
    bytes += events.back().message.size() + 26;
    if (events.back().message.empty()) {
      return error("InvalidParameterException", "empty message");
    }
    if (unwelcome && unwelcome(events.back())) {
      return error("InvalidParameterException", "unwelcome");
    }
  }
  const auto by_time = [](const Event& one, const Event& other) {
    return one.timestamp_ms < other.timestamp_ms;
  };
  if (events.empty() || events.size() > 10'000 || bytes > 1'048'576) {
    return error("InvalidParameterException", "too many or too large");
  }
  if (!std::is_sorted(events.begin(), events.end(), by_time) ||
      events.back().timestamp_ms - events.front().timestamp_ms > 24 * kHourMs) {
    return error("InvalidParameterException", "order or span");
  }
  const auto old = std::find_if(events.begin(), events.end(), [&](const Event& event) {
    return event.timestamp_ms >= now_ms - 14 * 24 * kHourMs;
  });
  const auto days = retention.find(group);
  const auto kept = std::find_if(old, events.end(), [&](const Event& event) {
    return days == retention.end() || event.timestamp_ms >= now_ms - days->second * 24 * kHourMs;
  });
  const auto early = std::find_if(kept, events.end(), [&](const Event& event) {
    return event.timestamp_ms > now_ms + 2 * kHourMs;
  });
  std::string rejected;
  if (old != events.begin()) {
    rejected += "\"tooOldLogEventEndIndex\":" + std::to_string(old - events.begin());
  }
  if (kept != old) {
    rejected += rejected.empty() ? "" : ",";
    rejected += "\"expiredLogEventEndIndex\":" + std::to_string(kept - events.begin());
  }
  if (early != events.end()) {
    rejected += rejected.empty() ? "" : ",";
    rejected += "\"tooNewLogEventStartIndex\":" + std::to_string(early - events.begin());
  }
  std::vector<Event>& taken = groups_[group][stream];
  taken.insert(taken.end(), kept, early);
  return ok(rejected.empty()
                ? R"({"nextSequenceToken":"49"})"
                : R"({"nextSequenceToken":"49","rejectedLogEventsInfo":{)" + rejected + "}}");
}

}  // namespace invlog::test
