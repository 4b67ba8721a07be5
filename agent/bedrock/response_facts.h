// What a response says about itself beyond its content: token counts, why generation stopped, what
// went wrong. Sources: facts/bedrock.md §1.3 (token semantics), §2.3 (headers), §2.4, §2.6
// (invocationMetrics), §2.7 (errors); the stop reasons of InvokeModel are each vendor's own.
//
// Only what is said is taken; nothing is guessed, and one thing computed: OpenAI's input count
// without what came from the cache. Where a stream says something several times, the last counts.
//
// Thread: any; pure functions. Errors: none; a member of an unexpected type is passed over.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/bedrock/invocation.h"
#include "agent/bedrock/json_text.h"

namespace invlog::bedrock {

struct ResponseFacts {
  std::optional<std::int64_t> input_tokens, output_tokens, cache_read_tokens, cache_write_tokens;
  std::string stop_reason;
  std::string error_code;
  bool has_invocation_metrics = false;  // the last chunk of InvokeModelWithResponseStream was seen
  bool counted_so_far = false;          // the tokens, by Anthropic's own chunks before that
  bool finished = false;                // a model's own stream said that it was at its end
  // The chunk that a model's own stream announced by its first one and that has not come yet: of
  // Anthropic's and Nova's. "" none; how others end is not known for each.
  std::string_view awaited_end;
};

// Headers X-Amzn-Bedrock-*-Token-Count.
void read_token_headers(const Headers& headers, ResponseFacts& facts);
// Header x-amzn-ErrorType, up to the first ':'.
void read_error_header(const Headers& headers, ResponseFacts& facts);
// A body with an HTTP error status: __type or code; OpenAI's and Anthropic's
// {"error":{..}}. What the header said stays.
void read_error_body(JsonText::Object body, ResponseFacts& facts);
// A Converse response, whole or assembled.
void read_converse_body(JsonText::Object body, ResponseFacts& facts);
// An InvokeModel response, or one chunk of InvokeModelWithResponseStream.
void read_invoke_body(JsonText::Object body, ResponseFacts& facts);
// A Chat Completions or Responses response, or one event of their streams. OpenAI's input count
// includes what was read from the cache, unlike Bedrock's (facts/bedrock.md §1.3): that is taken
// off, so that a record's counts mean the same whatever was called.
void read_openai_body(JsonText::Object body, ResponseFacts& facts);

}  // namespace invlog::bedrock
