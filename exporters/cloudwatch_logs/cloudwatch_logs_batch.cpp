#include "exporters/cloudwatch_logs/cloudwatch_logs_batch.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "exporters/cloudwatch_logs/cloudwatch_logs_destination.h"
#include "storage/time_text.h"

namespace invlog::exporters {
namespace {

constexpr std::int64_t kMicrosecondsPerMs = 1000;
constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kTakenAheadMs = 2 * kHourMs;
// A batch waits that long for events that are too new, if this host's clock is right.
constexpr std::int64_t kLongestWaitMs = 2 * kHourMs;
constexpr std::int64_t kClockSlackMs = 5 * 60'000;

std::int64_t floor_ms(std::int64_t microseconds) {
  return microseconds >= 0 ? microseconds / kMicrosecondsPerMs : 0;
}

std::size_t position(std::optional<std::int64_t> given, std::size_t absent, std::size_t count) {
  if (!given) {
    return absent;
  }
  return static_cast<std::size_t>(
      std::clamp<std::int64_t>(*given, 0, static_cast<std::int64_t>(count)));
}

}  // namespace

bool is_about_encoding(const aws::ServiceFailure& failure) {
  return failure.status == 415 || failure.code == "SerializationException" ||
         failure.code == "UnsupportedMediaTypeException";
}

std::vector<Refused> refused_events(const std::vector<LogEventBatch::Event>& sent,
                                    const RejectedEvents& rejected) {
  const std::size_t too_old_end = position(rejected.too_old_end, 0, sent.size());
  const std::size_t expired_end = position(rejected.expired_end, 0, sent.size());
  const std::size_t too_new_start = position(rejected.too_new_start, sent.size(), sent.size());
  std::vector<Refused> refused;
  for (std::size_t at = 0; at < sent.size(); ++at) {
    const char* reason = at < too_old_end      ? "is older than the 14 days that it takes"
                         : at < expired_end    ? "is older than the log group's retention"
                         : at >= too_new_start ? "is more than 2 hours ahead of its clock"
                                               : nullptr;
    if (reason != nullptr) {
      refused.push_back(
          {sent[at].record, "CloudWatch Logs refused the event: its time, " +
                                storage::iso_seconds(sent[at].timestamp_ms * kMicrosecondsPerMs) +
                                ", " + reason});
    }
  }
  return refused;
}

CloudWatchLogsBatch::CloudWatchLogsBatch(CloudWatchLogsDestination& destination,
                                         const Origin& origin, bool retry)
    : destination_(destination),
      origin_(origin),
      retry_(retry),
      events_(destination.options_.batch_bytes) {}

Batch::Added CloudWatchLogsBatch::add(const storage::StoredRecord& record) {
  if (full()) {
    refused_one_ = true;
    return Added::full;
  }
  const std::string message = destination_.messages_.of(origin_, record);
  if (message.empty()) {
    unfit_.push_back({record.id,
                      "the record's metadata alone is over the 1,048,550 bytes that CloudWatch "
                      "Logs takes as one event"});
  } else if (!events_.add(record.id, floor_ms(record.record.started_at_us), message)) {
    refused_one_ = true;
    return Added::full;
  }
  ++records_;
  return Added::taken;
}

void CloudWatchLogsBatch::encode() {
  compress(events_.take_request(destination_.target_.group, destination_.target_.stream));
}

void CloudWatchLogsBatch::compress(std::string request) {
  request_bytes_ = request.size();
  request_ = destination_.gzip_taken_ ? gzip_if_smaller(request) : "";
  gzip_ = !request_.empty();
  if (!gzip_) {
    request_ = std::move(request);
  }
}

// That the service takes gzip is nowhere promised; if it does not, delivery goes on without.
tl::expected<RejectedEvents, aws::ServiceFailure> CloudWatchLogsBatch::put() {
  auto answer = destination_.put(request_, gzip_, destination_.target_.stream);
  if (answer || !gzip_ || !is_about_encoding(answer.error())) {
    return answer;
  }
  spdlog::warn("{}; trying without gzip", answer.error().message);
  request_ = gunzip(request_, request_bytes_);
  gzip_ = false;
  answer = destination_.put(request_, gzip_, destination_.target_.stream);
  destination_.gzip_taken_ = !answer;
  return answer;
}

// Which events are too new only for now. This host's clock is ahead, and so all that comes is; or
// it will not be long. Those further ahead are single records of a wrong moment, which hold up
// nothing.
CloudWatchLogsBatch::Waiting CloudWatchLogsBatch::events_that_wait(
    const RejectedEvents& rejected) const {
  const std::vector<LogEventBatch::Event>& sent = events_.sent_order();
  const std::size_t start = position(rejected.too_new_start, sent.size(), sent.size());
  const std::int64_t most = std::max(destination_.host_now_ms() + kClockSlackMs,
                                     destination_.now_ms() + kTakenAheadMs + kLongestWaitMs);
  const auto end =
      std::find_if(sent.begin() + static_cast<std::ptrdiff_t>(start), sent.end(),
                   [most](const LogEventBatch::Event& event) { return event.timestamp_ms > most; });
  return {start, retry_ ? 0 : static_cast<std::size_t>(end - sent.begin()) - start};
}

// The others have arrived, or never will: they do not go again.
aws::ServiceFailure CloudWatchLogsBatch::wait_with(const Waiting& waiting,
                                                   const RejectedEvents& rejected) {
  std::vector<LogEventBatch::Event> others = events_.sent_order();
  const auto first = others.begin() + static_cast<std::ptrdiff_t>(waiting.first);
  const auto end = first + static_cast<std::ptrdiff_t>(waiting.count);
  aws::ServiceFailure failure;
  failure.kind = aws::FailureKind::clock;
  failure.message = "PutLogEvents " + destination_.target() + ": " + std::to_string(waiting.count) +
                    " events, up to " +
                    storage::iso_seconds((end - 1)->timestamp_ms * kMicrosecondsPerMs) +
                    ", are more than 2 hours ahead of the service's clock, so they wait and are "
                    "tried again; is this host's clock right?";
  // What is too new begins where it began, after those that wait were taken out.
  others.erase(first, end);
  for (Refused& each : refused_events(others, rejected)) {
    refused_.push_back(std::move(each));
  }
  if (!others.empty()) {
    std::string request = gzip_ ? gunzip(request_, request_bytes_) : std::move(request_);
    request = events_.keep(request, waiting.first, waiting.count);
    compress(std::move(request));
  }
  return failure;
}

SendResult CloudWatchLogsBatch::send() {
  Sent sent;
  sent.refused = unfit_;
  if (events_.events() == 0) {
    return sent;
  }
  if (request_.empty()) {
    encode();
  }
  auto answer = put();
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  sent_bytes_ += request_.size();
  if (const Waiting waiting = events_that_wait(*answer); waiting.count > 0) {
    return tl::unexpected(wait_with(waiting, *answer));
  }
  std::vector<Refused> refused = refused_events(events_.sent_order(), *answer);
  sent.refused.insert(sent.refused.end(), refused_.begin(), refused_.end());
  sent.refused.insert(sent.refused.end(), std::make_move_iterator(refused.begin()),
                      std::make_move_iterator(refused.end()));
  sent.bytes = sent_bytes_;
  sent.line_bytes = events_.message_bytes();
  sent.places = {destination_.target()};
  if (!retry_) {
    sent.throttled = destination_.send_chain_head(origin_);
    if (destination_.last_chain_segment_ > 0) {
      sent.head = {destination_.target(), "", destination_.last_chain_segment_};
    }
  }
  return sent;
}

}  // namespace invlog::exporters
