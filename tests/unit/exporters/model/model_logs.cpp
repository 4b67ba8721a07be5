#include "tests/unit/exporters/model/model_logs.h"

#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include "exporters/cloudwatch_logs/cloudwatch_logs_destination.h"

namespace invlog::exporters {
namespace {

using test::FakeLogsService;

constexpr const char* kGroup = "/invlog/records";
constexpr const char* kStream = "aws/bedrock/modelinvocations";
constexpr int kRetentionDays = 7;
constexpr std::int64_t kHourMs = 3'600'000;

// As they stand in a request: JSON within JSON.
std::vector<std::int64_t> records_in_request(std::string_view body) {
  constexpr std::string_view kName = R"(\"requestId\":\"r-)";
  std::vector<std::int64_t> records;
  for (auto at = body.find(kName); at != std::string_view::npos; at = body.find(kName, at + 1)) {
    records.push_back(std::strtoll(body.data() + at + kName.size(), nullptr, 10));
  }
  return records;
}

bool holds(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

ModelLogs::ModelLogs(FaultSource& faults, ModelTime& time, const StoreTemplate& origin)
    : ModelService(faults, time), origin_(origin) {
  logs_.takes_gzip = faults.below(4) != 0;
  logs_.unwelcome = [this](const FakeLogsService::Event& event) {
    return origin_.unwelcome.count(record_in(event.message)) != 0;
  };
  if (faults.below(2) == 0) {
    logs_.make_stream(kGroup, kStream);
  }
}

std::unique_ptr<Destination> ModelLogs::connect() {
  CloudWatchLogsOptions options;
  options.region = "eu-central-1";
  options.log_group = kGroup;
  options.retention_days = faults_.below(2) == 0 ? kRetentionDays : 0;
  if (faults_.below(2) == 0) {
    options.batch_bytes = static_cast<std::uint64_t>(1500 + faults_.below(6000));
  }
  return std::make_unique<CloudWatchLogsDestination>(
      options, "test-host", *this, credentials_,
      [this] { return ModelTime::point(time_.host_us()); });
}

int ModelLogs::copies(std::int64_t record) const {
  const auto found = copies_.find(record);
  return found == copies_.end() ? 0 : found->second;
}

std::string ModelLogs::verdict(const ModelStore& store, const DeadReasons& dead) const {
  for (std::int64_t id = 1; id <= store.shown(); ++id) {
    if (const std::string wrong = store.was_removed(id) ? "" : fate(id, store, dead);
        !wrong.empty()) {
      return "CloudWatch Logs: record " + std::to_string(id) + " " + wrong;
    }
  }
  return "";
}

// What is wrong with how this record ended, "" nothing.
std::string ModelLogs::fate(std::int64_t id, const ModelStore& store,
                            const DeadReasons& dead) const {
  const auto found = dead.find(id);
  const std::string reason = found == dead.end() ? "" : found->second;
  const auto must_die_of = [&](const char* part) {
    return copies(id) == 0 && holds(reason, part)
               ? std::string()
               : "should have died of \"" + std::string(part) + "\", not of \"" + reason + "\"";
  };
  if (store.is_damaged(id)) {
    return must_die_of("damaged");
  }
  if (origin_.too_large.count(id) != 0) {
    return must_die_of("metadata alone");
  }
  if (origin_.unwelcome.count(id) != 0) {
    return must_die_of("InvalidParameterException");
  }
  if (origin_.wrong_time.count(id) != 0) {
    return must_die_of("CloudWatch Logs refused the event: its time");
  }
  if (reason.empty()) {
    return copies(id) > 0 ? "" : "is nowhere";
  }
  return refused_once_.count(id) != 0 && holds(reason, "CloudWatch Logs refused the event")
             ? ""
             : "is a dead letter for no good reason: " + reason;
}

aws::HttpResponse ModelLogs::perform(const aws::HttpRequest& request, int oddity) {
  if (is_skewed(request)) {
    return FakeLogsService::error("InvalidSignatureException",
                                  "Signature expired: 1 is now earlier than 2");
  }
  logs_.now_ms = time_.service_us / 1000;
  if (oddity != 0) {
    // Takes only what is of the last so many hours, or only what is older.
    const std::int64_t hours = oddity / 2;
    logs_.now_ms += oddity % 2 == 0 ? (14 * 24 - hours) * kHourMs : -(2 + hours) * kHourMs;
  }
  aws::HttpResponse answer = *logs_.send(request);
  if (logs_.calls.empty()) {
    trouble = "CloudWatch Logs does not know what " + request.method + " " + request.url + " is";
    return answer;
  }
  const FakeLogsService::Call call = std::move(logs_.calls.back());
  logs_.calls.clear();
  if (holds(answer.body, "order or span") || holds(answer.body, "too many or too large")) {
    trouble = "CloudWatch Logs found fault with " + call.operation + ": " + answer.body;
  }
  if (call.operation == "PutLogEvents" && answer.status == 200) {
    keep_books(call.body);
  }
  return answer;
}

void ModelLogs::keep_books(const std::string& request) {
  if (!holds(request, R"("logStreamName":"aws/bedrock/modelinvocations",)")) {
    return;  // the chain's heads
  }
  std::set<std::int64_t> missing;
  for (const std::int64_t record : records_in_request(request)) {
    missing.insert(record);
  }
  const auto& events = logs_.events(kGroup, kStream);
  for (; counted_ < events.size(); ++counted_) {
    const std::int64_t record = record_in(events[counted_].message);
    ++copies_[record];
    missing.erase(record);
  }
  refused_once_.insert(missing.begin(), missing.end());
}

// None that means "this batch, never": of that a record would rightly die.
aws::HttpResponse ModelLogs::refusal(int kind) {
  switch (kind) {
    case 0:
      return slowed(FakeLogsService::error("ThrottlingException", "Rate exceeded"));
    case 1:
      return FakeLogsService::error("ServiceUnavailableException", "", 503);
    case 2:
      return FakeLogsService::error("ExpiredTokenException", "The security token is expired");
    case 3:
      return FakeLogsService::error("AccessDeniedException");
    case 4:
      return elsewhere("");
    case 5:
      return FakeLogsService::error("OperationAbortedException");
    case 6:
      return FakeLogsService::error("ResourceNotFoundException");
    default:
      return {200, {}, "<html>a proxy's page of its own</html>"};
  }
}

}  // namespace invlog::exporters
