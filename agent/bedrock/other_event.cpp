#include "agent/bedrock/other_event.h"

#include "storage/base64.h"
#include "storage/json_writer.h"

namespace invlog::bedrock {

void append_other_event(std::string& elements, std::string_view event_type,
                        std::string_view payload, bool json) {
  std::string event = "{";
  storage::append_json_member(event, "type", event_type);
  if (json) {
    storage::append_json_raw(event, "payload", payload);
  } else {
    storage::append_json_member(event, "payload", storage::base64_encode(payload));
  }
  event += '}';
  if (!elements.empty()) {
    elements += ',';
  }
  elements += event;
}

}  // namespace invlog::bedrock
