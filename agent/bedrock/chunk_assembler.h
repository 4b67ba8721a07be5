// Puts the chunks of an InvokeModelWithResponseStream together into a JSON array of the model's own
// chunk objects, the form in which AWS's own invocation log shows such a stream. Source:
// facts/bedrock.md §1.4, §2.6.
//
// A chunk's `bytes` is base64 of JSON; a chunk that decodes to something else is kept as that
// base64 text. The padding member `p` is dropped. On its way it reads token counts and stop reason
// off the chunks.
//
// Thread: one at a time. Errors: none; an event that is no chunk goes to other_events().
#pragma once

#include <string>
#include <string_view>

#include "agent/bedrock/json_text.h"
#include "agent/bedrock/other_events.h"
#include "agent/bedrock/response_facts.h"

namespace invlog::bedrock {

class ChunkAssembler {
 public:
  // `payload_parser` and `chunk_parser` are used within add() only; `facts` must outlive this.
  ChunkAssembler(JsonText& payload_parser, JsonText& chunk_parser, ResponseFacts& facts)
      : payload_parser_(payload_parser), chunk_parser_(chunk_parser), facts_(facts) {}

  void add(std::string_view event_type, std::string_view payload);

  // A JSON array; "" if there was no chunk.
  std::string body() const;
  // Those of an unknown type or form.
  const OtherEvents& other_events() const { return other_events_; }

 private:
  JsonText& payload_parser_;
  JsonText& chunk_parser_;
  ResponseFacts& facts_;
  std::string elements_;
  OtherEvents other_events_;
};

}  // namespace invlog::bedrock
