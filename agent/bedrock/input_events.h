// Puts the events that a client sends in an InvokeModelWithBidirectionalStream together into a JSON
// array, as ChunkAssembler does with those of the response.
//
// A client signs each event: the event's own message is the payload of a message whose headers are
// `:date` and `:chunk-signature`. The signatures are left behind here and never stored. Source:
// @smithy/eventstream-codec and @smithy/signature-v4 as npm has them (what the AWS SDK for
// JavaScript sends), seen on the wire.
//
// Thread: one at a time. Errors: none; the first damage ends it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/bedrock/chunk_assembler.h"
#include "agent/bedrock/event_stream_decoder.h"

namespace invlog::bedrock {

class InputEvents {
 public:
  InputEvents(JsonText& payload_parser, JsonText& chunk_parser)
      : chunks_(payload_parser, chunk_parser, unused_) {}

  void read(std::string_view bytes);

  std::size_t messages() const { return messages_; }
  // A JSON array; "" if there was no event.
  std::string body() const { return chunks_.body(); }
  const OtherEvents& other_events() const { return chunks_.other_events(); }
  const std::optional<EventStreamDamage>& damage() const { return damage_; }

 private:
  void take(const EventMessage& message);
  void take_signed(std::string_view payload, std::uint64_t offset);

  ResponseFacts unused_;
  ChunkAssembler chunks_;
  std::size_t messages_ = 0;
  std::optional<EventStreamDamage> damage_;
};

}  // namespace invlog::bedrock
