#include "agent/bedrock/input_events.h"

#include <algorithm>

namespace invlog::bedrock {
namespace {

constexpr std::size_t kSlice = 64 * 1024;

bool is_signed(const EventMessage& message) {
  return std::any_of(message.headers.begin(), message.headers.end(),
                     [](const EventHeader& header) { return header.name == ":chunk-signature"; });
}

}  // namespace

void InputEvents::take(const EventMessage& message) {
  chunks_.add(message.text(":event-type"), message.payload);
}

void InputEvents::take_signed(std::string_view payload, std::uint64_t offset) {
  if (payload.empty())
    return;  // the last one signs the end
  EventStreamDecoder inner;
  inner.feed(payload);
  while (const std::optional<EventMessage> message = inner.next())
    take(*message);
  if (!damage_ && inner.damage())
    damage_ = {offset, "in a signed event: " + inner.damage()->cause};
}

void InputEvents::read(std::string_view bytes) {
  EventStreamDecoder decoder;
  for (std::size_t at = 0; at < bytes.size(); at += kSlice) {
    decoder.feed(bytes.substr(at, kSlice));
    while (const std::optional<EventMessage> message = decoder.next()) {
      ++messages_;
      if (is_signed(*message)) {
        take_signed(message->payload, message->offset);
      } else {
        take(*message);
      }
    }
  }
  if (!damage_ && decoder.damage())
    damage_ = decoder.damage();
}

}  // namespace invlog::bedrock
