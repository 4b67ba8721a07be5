#include "agent/residency/trail_event.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "exporters/aws/iso_time.h"

namespace invlog::residency {
namespace {

using bedrock::JsonText;

constexpr std::string_view kAlwaysLogged[] = {"InvokeModel", "InvokeModelWithResponseStream",
                                              "Converse", "ConverseStream"};
constexpr std::string_view kBidirectional = "InvokeModelWithBidirectionalStream";

std::string_view text_of(JsonText::Value value) {
  return bedrock::json_string(value).value_or(std::string_view());
}

// What names the caller, best first.
struct Identity {
  std::string_view arn, principal_id, user_name, invoked_by, type;

  std::string_view best() const {
    for (const std::string_view name : {arn, user_name, principal_id, invoked_by, type}) {
      if (!name.empty()) {
        return name;
      }
    }
    return {};
  }
};

void read_identity(JsonText::Value value, TrailEvent& event) {
  const auto object = bedrock::json_object(value);
  if (!object) {
    return;
  }
  Identity identity;
  bedrock::each_member(*object, [&](std::string_view name, JsonText::Value member) {
    if (name == "arn") {
      identity.arn = text_of(member);
    } else if (name == "accountId") {
      event.caller_account = text_of(member);
    } else if (name == "principalId") {
      identity.principal_id = text_of(member);
    } else if (name == "userName") {
      identity.user_name = text_of(member);
    } else if (name == "invokedBy") {
      identity.invoked_by = text_of(member);
    } else if (name == "type") {
      identity.type = text_of(member);
    }
  });
  event.principal = identity.best();
}

// The member `wanted` of the object `value`, a string; "" if there is none.
std::string_view text_within(JsonText::Value value, std::string_view wanted) {
  std::string_view found;
  if (const auto object = bedrock::json_object(value)) {
    bedrock::each_member(*object, [&](std::string_view name, JsonText::Value member) {
      if (name == wanted) {
        found = text_of(member);
      }
    });
  }
  return found;
}

struct RawEvent {
  TrailEvent event;
  std::string_view source, time;
  std::string_view nested;  // CloudTrailEvent
};

void read_member(RawEvent& raw, std::string_view name, JsonText::Value value) {
  TrailEvent& event = raw.event;
  if (name == "eventSource") {
    raw.source = text_of(value);
  } else if (name == "eventName") {
    event.operation = text_of(value);
  } else if (name == "eventTime") {
    raw.time = text_of(value);
  } else if (name == "awsRegion") {
    event.region = text_of(value);
  } else if (name == "userIdentity") {
    read_identity(value, event);
  } else if (name == "recipientAccountId") {
    event.account = text_of(value);
  } else if (name == "sourceIPAddress") {
    event.source_address = text_of(value);
  } else if (name == "requestParameters") {
    event.model = text_within(value, "modelId");
  } else if (name == "additionalEventData") {
    event.inference_region = text_within(value, "inferenceRegion");
  } else if (name == "requestID") {
    event.request_id = text_of(value);
  } else if (name == "eventID") {
    event.event_id = text_of(value);
  } else if (name == "errorCode") {
    event.error = text_of(value);
  } else if (name == "CloudTrailEvent") {
    raw.nested = text_of(value);
  }
}

std::optional<RawEvent> read_raw(JsonText& json) {
  const auto object = json.object();
  if (!object) {
    return std::nullopt;
  }
  RawEvent raw;
  bedrock::each_member(*object, [&raw](std::string_view name, JsonText::Value value) {
    read_member(raw, name, value);
  });
  return raw;
}

tl::expected<TrailEvent, std::string> checked(const RawEvent& raw) {
  TrailEvent event = raw.event;
  if (raw.source.empty() || event.operation.empty()) {
    return tl::unexpected(
        std::string("it is no event of CloudTrail: eventSource or eventName is missing"));
  }
  event.invocation =
      (raw.source == "bedrock.amazonaws.com" || raw.source == "bedrock-runtime.amazonaws.com") &&
      is_invocation(event.operation);
  const auto time = aws::parse_iso_time(raw.time);
  if (time) {
    event.at_us =
        std::chrono::duration_cast<std::chrono::microseconds>(time->time_since_epoch()).count();
  }
  if (event.invocation) {
    const char* const missing = !time                      ? "eventTime"
                                : event.region.empty()     ? "awsRegion"
                                : event.event_id.empty()   ? "eventID"
                                : event.request_id.empty() ? "requestID"
                                                           : nullptr;
    if (missing != nullptr) {
      return tl::unexpected(std::string(event.operation) + " has no " + missing +
                            " that can be read");
    }
  }
  return event;
}

}  // namespace

bool is_always_logged(std::string_view operation) {
  return std::find(std::begin(kAlwaysLogged), std::end(kAlwaysLogged), operation) !=
         std::end(kAlwaysLogged);
}

bool should_have_event(bool has_request_id, std::int64_t status, std::string_view outcome,
                       std::string_view operation) {
  return has_request_id && status != 0 && outcome != "denied" && is_always_logged(operation);
}

bool is_invocation(std::string_view operation) {
  return is_always_logged(operation) || operation == kBidirectional;
}

tl::expected<TrailEvent, std::string> TrailEventReader::read(std::string& text) {
  constexpr const char* kNotJson = "an event is not valid JSON";
  JsonText::pad(text);
  if (!outer_.parse_padded(text)) {
    return tl::unexpected(std::string(kNotJson));
  }
  const auto outer = read_raw(outer_);
  if (!outer) {
    return tl::unexpected(std::string("it is no JSON object"));
  }
  if (outer->nested.empty()) {
    return checked(*outer);
  }
  inner_text_.assign(outer->nested);
  JsonText::pad(inner_text_);
  const auto inner = inner_.parse_padded(inner_text_) ? read_raw(inner_) : std::nullopt;
  return inner ? checked(*inner)
               : tl::expected<TrailEvent, std::string>(tl::unexpected(std::string(
                     "CloudTrailEvent, which should be an event as a string, is not valid JSON")));
}

}  // namespace invlog::residency
