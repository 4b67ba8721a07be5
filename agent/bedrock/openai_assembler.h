// Puts the events of an OpenAI-compatible stream (Chat Completions, Responses) together into a JSON
// array of the decoded `data` objects in order, without the end marker [DONE].
//
// How AWS's own invocation log shows these streams is not documented (facts/bedrock.md §9.1); this
// form is ours, chosen like that of InvokeModelWithResponseStream: nothing is merged, so nothing is
// lost.
//
// Thread: one at a time. Errors: none; data that is not JSON becomes a string in the array. Of data
// that is not UTF-8 that string lacks bytes (storage/json_writer.h): they are in other_events(),
// too.
#pragma once

#include <string>
#include <string_view>

#include "agent/bedrock/json_text.h"
#include "agent/bedrock/other_events.h"
#include "agent/bedrock/response_facts.h"

namespace invlog::bedrock {

class OpenaiAssembler {
 public:
  // `parser` is used within add() only; `facts` must outlive this.
  OpenaiAssembler(JsonText& parser, ResponseFacts& facts) : parser_(parser), facts_(facts) {}

  void add(std::string_view data);

  // A JSON array; "" if there was no event.
  std::string body() const;
  // Those that are not UTF-8, under the type "data".
  const OtherEvents& other_events() const { return other_events_; }

 private:
  JsonText& parser_;
  ResponseFacts& facts_;
  std::string elements_;
  OtherEvents other_events_;
};

}  // namespace invlog::bedrock
