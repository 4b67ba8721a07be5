// What a request means, from its method and target: the operation and the model id.
// Source: botocore bedrock-runtime/2023-09-30 service-2.json; facts/bedrock.md §2.1, §4.
//
// Pure functions; any thread; never throw.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace invlog::bedrock {

enum class Operation {
  converse,
  converse_stream,
  invoke_model,
  invoke_model_with_response_stream,
  chat_completions,  // POST /openai/v1/chat/completions; the record's operation is
                     // "ChatCompletions"
  responses,         // POST /openai/v1/responses; the record's operation is "Responses"
  invoke_model_with_bidirectional_stream,
};

struct Target {
  Operation operation;
  std::string model_id;  // percent-decoded; "" for the OpenAI paths, where the body names the model
};

// Empty for every request that is passed through without a record. `target` may carry a query.
std::optional<Target> parse_target(std::string_view method, std::string_view target);
// The model that a target's path names, whatever is done with it: the id in /model/{id}/…, percent-
// decoded. Other than parse_target() it takes any method and any last segment, and reads the path
// as a lenient server might (empty segments, "." and ".."), so that no spelling of a path keeps a
// call from being judged.
std::optional<std::string> model_in_target(std::string_view target);
// Whether a target, in any such spelling, is that of StartAsyncInvoke, whose body names the model.
bool is_async_invoke(std::string_view target);
// Whether a target is one of the service's that have no model: guardrails.
bool is_without_model(std::string_view target);
// The name in the record's `operation`.
std::string_view operation_name(Operation operation);

}  // namespace invlog::bedrock
