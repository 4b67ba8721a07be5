#include "agent/residency/trail_lookup.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "storage/json_writer.h"

namespace invlog::residency {
namespace {

constexpr const char* kTarget =
    "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";
constexpr std::chrono::milliseconds kLeastInterval{500};
constexpr std::int64_t kSecondUs = 1'000'000;

std::string request_body(std::int64_t since_us, std::int64_t until_us, const std::string& next) {
  std::string body =
      "{\"LookupAttributes\":[{\"AttributeKey\":\"EventSource\",\"AttributeValue\":"
      "\"bedrock.amazonaws.com\"}]";
  storage::append_json_number(body, "StartTime", since_us / kSecondUs);
  storage::append_json_number(body, "EndTime", (until_us + kSecondUs - 1) / kSecondUs);
  storage::append_json_number(body, "MaxResults", 50);
  if (!next.empty()) {
    storage::append_json_member(body, "NextToken", next);
  }
  return body + "}";
}

}  // namespace

TrailLookup::TrailLookup(aws::ServiceClient& service, std::int64_t since_us, std::int64_t until_us,
                         exporters::CallTimes times)
    : service_(service),
      since_us_(since_us),
      until_us_(until_us),
      caller_(std::move(times), kLeastInterval),
      reached_us_(until_us) {}

void TrailLookup::show(TrailSink& sink) const {
  sink.progress({static_cast<std::uint64_t>((until_us_ - reached_us_) / kSecondUs),
                 static_cast<std::uint64_t>((until_us_ - since_us_) / kSecondUs),
                 std::to_string(events_) + " events"});
}

tl::expected<void, std::string> TrailLookup::read(TrailSink& sink) {
  std::string next;
  do {
    show(sink);
    const std::string body = request_body(since_us_, until_us_, next);
    aws::ServiceRequest request;
    request.headers = {{"content-type", "application/x-amz-json-1.1"}, {"x-amz-target", kTarget}};
    request.body = body;
    request.what = "LookupEvents";
    const aws::ServiceResult answer = caller_.call([&] { return service_.call(request); });
    if (!answer) {
      return tl::unexpected(answer.error().message +
                            (answer.error().kind == aws::FailureKind::denied
                                 ? "; it needs the permission cloudtrail:LookupEvents"
                                 : ""));
    }
    auto following = read_page(answer->body, sink);
    if (!following) {
      return tl::unexpected("LookupEvents: " + following.error());
    }
    if (!following->empty() && *following == next) {
      return tl::unexpected(std::string("LookupEvents: the same page comes again and again"));
    }
    next = std::move(*following);
  } while (!next.empty() && !sink.stopped());
  return {};
}

// NextToken, "" at the end.
tl::expected<std::string, std::string> TrailLookup::read_page(std::string_view body,
                                                              TrailSink& sink) {
  bedrock::JsonText page;
  const auto object = page.parse(body) ? page.object() : std::nullopt;
  if (!object) {
    return tl::unexpected(std::string("the answer is no JSON object; is the endpoint CloudTrail?"));
  }
  std::string next, text;
  const auto take = [&](bedrock::JsonText::Value element) {
    text.assign(bedrock::json_raw(element));
    const auto event = reader_.read(text);
    ++events_;
    if (!event) {
      sink.problem({"LookupEvents, event " + std::to_string(events_), std::nullopt, event.error()});
      return;
    }
    if (event->at_us != 0) {
      reached_us_ = std::clamp(event->at_us, since_us_, reached_us_);
    }
    sink.event(*event);
  };
  bedrock::each_member(*object, [&](std::string_view name, bedrock::JsonText::Value value) {
    if (name == "NextToken") {
      next = bedrock::json_string(value).value_or("");
    } else if (name == "Events") {
      if (const auto events = bedrock::json_array(value)) {
        bedrock::each_element(*events, take);
      }
    }
  });
  return next;
}

}  // namespace invlog::residency
