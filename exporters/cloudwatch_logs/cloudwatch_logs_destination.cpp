#include "exporters/cloudwatch_logs/cloudwatch_logs_destination.h"

#include <simdjson.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <set>
#include <utility>

#include "exporters/cloudwatch_logs/cloudwatch_logs_batch.h"
#include "exporters/cloudwatch_logs/log_event_batch.h"
#include "storage/json_writer.h"
#include "storage/time_text.h"

namespace invlog::exporters {
namespace {

using aws::FailureKind;
using aws::ServiceFailure;

constexpr const char* kChainSchema = "InvlogChain";
// Somebody waits for the heads.
constexpr int kMostHeadAttempts = 4;

aws::ServiceClientOptions service_options(const CloudWatchLogsOptions& options,
                                          aws::SystemClock clock) {
  aws::ServiceClientOptions service;
  service.service = "logs";
  service.region = options.region;
  service.endpoint = logs_endpoint(options);
  service.clock = std::move(clock);
  return service;
}

tl::unexpected<ServiceFailure> elsewhere(std::string message) {
  ServiceFailure failure;
  failure.kind = FailureKind::redirected;
  failure.message = std::move(message) + "; nothing was sent";
  return tl::unexpected(std::move(failure));
}

// Services that only resemble CloudWatch Logs do not know every operation.
bool is_unknown_operation(const ServiceFailure& failure) {
  return failure.code.starts_with("UnknownOperation");
}

// What send_chain_head() wrote, if it is of this store.
std::optional<KeptHead> chain_head_of(std::string_view message, std::string_view instance) {
  simdjson::dom::parser parser;
  simdjson::dom::element line;
  std::string_view type, whose, chain;
  KeptHead head;
  if (parser.parse(message.data(), message.size()).get(line) != simdjson::SUCCESS ||
      line["schemaType"].get(type) != simdjson::SUCCESS || type != kChainSchema ||
      line["instance"].get(whose) != simdjson::SUCCESS || whose != instance ||
      line["segment"].get(head.segment) != simdjson::SUCCESS || head.segment <= 0 ||
      line["chain"].get(chain) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  head.chain = chain;
  return head;
}

}  // namespace

CloudWatchLogsDestination::CloudWatchLogsDestination(CloudWatchLogsOptions options,
                                                     const std::string& host, aws::HttpClient& http,
                                                     aws::CredentialsProvider& credentials,
                                                     aws::SystemClock clock,
                                                     std::optional<S3Options> s3, CallTimes times)
    : options_(std::move(options)),
      target_(log_target(options_, host)),
      service_(service_options(options_, std::move(clock)), http, credentials),
      messages_(std::move(s3)),
      head_caller_(std::move(times), std::chrono::milliseconds(0), kMostHeadAttempts) {}

tl::expected<bool, ServiceFailure> CloudWatchLogsDestination::prove_region(const Origin& origin) {
  const auto group = client_.first_log_group(target_.group);
  if (!group) {
    if (is_unknown_operation(group.error()) || group.error().kind == FailureKind::denied) {
      return false;  // the endpoint's name, or whoever vouches for it, is the proof
    }
    return tl::unexpected(explained(group.error(), options_, target_.stream, "DescribeLogGroups"));
  }
  if (!*group || (*group)->region.empty()) {
    return false;
  }
  const LogGroupShown& shown = **group;
  const std::string& account = origin.store.account_id;
  if (shown.region != options_.region) {
    return elsewhere("log group " + shown.name + " is in " + shown.region +
                     ", the source Region is " + options_.region);
  }
  if (!account.empty() && !shown.account.empty() && shown.account != account) {
    return elsewhere("log group " + shown.name + " is in account " + shown.account +
                     ", the store belongs to " + account);
  }
  setup_.found(shown);
  return true;
}

tl::expected<void, ServiceFailure> CloudWatchLogsDestination::check_configuration(
    const Origin& origin) const {
  if (origin.store.region != options_.region) {
    return elsewhere("the store is pinned to " + origin.store.region +
                     ", exporters.cloudwatch_logs delivers to " + options_.region);
  }
  return check_target(options_, target_);
}

tl::expected<void, ServiceFailure> CloudWatchLogsDestination::prove(const Origin& origin) {
  if (auto allowed = check_configuration(origin); !allowed) {
    return allowed;
  }
  const auto shown = prove_region(origin);
  if (!shown) {
    return tl::unexpected(shown.error());
  }
  if (!options_.create) {
    return {};
  }
  // A stream that is there needs no permission to make it; put() makes one that turns out missing.
  if (auto made = setup_.ensure(target_.stream, LogGroupSetup::StreamDenied::taken_as_there);
      !made) {
    return made;
  }
  if (*shown) {
    return {};
  }
  // A group that was made just now has an ARN, too.
  const auto proven = prove_region(origin);
  return proven ? tl::expected<void, ServiceFailure>() : tl::unexpected(proven.error());
}

std::unique_ptr<Batch> CloudWatchLogsDestination::begin(const Origin& origin, const std::string&,
                                                        bool retry) {
  return std::make_unique<CloudWatchLogsBatch>(*this, origin, retry);
}

tl::expected<RejectedEvents, ServiceFailure> CloudWatchLogsDestination::put(
    std::string_view body, bool gzip, const std::string& stream) {
  const std::string target = target_.group + " " + stream;
  auto answer = client_.put_log_events(body, gzip, target);
  if (!answer && answer.error().kind == FailureKind::not_found && options_.create) {
    if (const auto made = setup_.ensure(stream); !made) {
      return tl::unexpected(made.error());
    }
    answer = client_.put_log_events(body, gzip, target);
  }
  if (!answer) {
    return tl::unexpected(explained(answer.error(), options_, stream, "PutLogEvents"));
  }
  return answer;
}

tl::expected<void, ServiceFailure> CloudWatchLogsDestination::send_line(const std::string& stream,
                                                                        std::string_view line,
                                                                        bool gzip) {
  LogEventBatch batch;
  batch.add(0, now_ms(), line);
  const std::string request = batch.take_request(target_.group, stream);
  const auto answer = put(gzip ? exporters::gzip(request) : request, gzip, stream);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  if (answer->too_new_start || answer->too_old_end || answer->expired_end) {
    ServiceFailure failure;
    failure.kind = FailureKind::clock;
    failure.message = "PutLogEvents " + target_.group + " " + stream +
                      ": the service takes no event of this moment; is this host's clock right?";
    return tl::unexpected(std::move(failure));
  }
  return {};
}

std::optional<ServiceFailure> CloudWatchLogsDestination::send_chain_head(const Origin& origin) {
  if (origin.chain_head.empty() || origin.chain_segment <= last_chain_segment_) {
    return std::nullopt;
  }
  std::string line = "{";
  storage::append_json_member(line, "schemaType", kChainSchema);
  storage::append_json_member(line, "schemaVersion", "1.0");
  storage::append_json_member(line, "timestamp", storage::iso_seconds(now_ms() * 1000));
  storage::append_json_member(line, "region", origin.store.region);
  storage::append_json_member(line, "host", origin.store.host);
  storage::append_json_member(line, "instance", origin.instance);
  storage::append_json_number(line, "segment", origin.chain_segment);
  storage::append_json_member(line, "chain", origin.chain_head);
  line += '}';
  const auto sent = send_line(target_.integrity_stream, line);
  if (sent) {
    last_chain_segment_ = origin.chain_segment;
    return std::nullopt;
  }
  if (warned_chain_segment_ != origin.chain_segment) {
    warned_chain_segment_ = origin.chain_segment;
    spdlog::warn("the chain's head of segment {} was not delivered: {}", origin.chain_segment,
                 sent.error().message);
  }
  const bool slower = sent.error().kind == FailureKind::throttled || sent.error().retry_after;
  return slower ? std::optional(sent.error()) : std::nullopt;
}

tl::expected<std::vector<KeptHead>, ServiceFailure> CloudWatchLogsDestination::kept_heads(
    const Origin& origin, std::int64_t, const std::vector<std::string>&) {
  std::vector<KeptHead> heads;
  std::set<std::pair<std::int64_t, std::string>> seen;
  std::string token;
  for (int pages = 1;; ++pages) {
    auto page = head_caller_.call(
        [&] { return client_.get_log_events(target_.group, target_.integrity_stream, token); });
    if (!page && page.error().code == "ResourceNotFoundException") {
      return heads;
    }
    if (!page) {
      if (page.error().kind == FailureKind::denied) {
        page.error().message += "; it needs the permission logs:GetLogEvents";
      }
      return tl::unexpected(std::move(page.error()));
    }
    // Several stores may write to one stream. A page has its oldest event first.
    for (auto message = page->messages.rbegin(); message != page->messages.rend(); ++message) {
      auto head = chain_head_of(*message, origin.instance);
      if (head && seen.emplace(head->segment, head->chain).second) {
        head->place = target_.group + " " + target_.integrity_stream;
        heads.push_back(*std::move(head));
      }
    }
    if (page->backward.empty() || page->backward == token ||
        (pages >= kMostHeadPages && !heads.empty())) {
      return heads;
    }
    token = page->backward;
  }
}

std::int64_t CloudWatchLogsDestination::now_ms() const {
  const auto now = service_.options().clock() + service_.clock_offset();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
}

std::int64_t CloudWatchLogsDestination::host_now_ms() const {
  const auto now = service_.options().clock();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
}

}  // namespace invlog::exporters
