#include "agent/bedrock/other_events.h"

#include "storage/base64.h"
#include "storage/json_writer.h"

namespace invlog::bedrock {

void OtherEvents::add(std::string_view event_type, std::string_view payload, bool json) {
  // Nothing is made of what will not be kept.
  if (left_out_ != 0 || kept_ == kMostEvents || payload.size() > kMostBytes) {
    ++left_out_;
    return;
  }
  std::string event = elements_.empty() ? "{" : ",{";
  storage::append_json_member(event, "type", event_type);
  if (json) {
    storage::append_json_raw(event, "payload", payload);
  } else {
    storage::append_json_member(event, "payload", storage::base64_encode(payload));
  }
  event += '}';
  if (elements_.size() + event.size() > kMostBytes) {
    ++left_out_;
    return;
  }
  elements_ += event;
  ++kept_;
}

}  // namespace invlog::bedrock
