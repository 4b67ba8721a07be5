#include "agent/bedrock/response_facts.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <system_error>
#include <utility>

namespace invlog::bedrock {
namespace {

// No call has more; sums over all that a store can hold stay far from where SQLite gives up.
constexpr std::int64_t kMostTokens = 1'000'000'000'000;

void take_count(std::optional<std::int64_t>& target, JsonText::Value value) {
  const std::optional<std::int64_t> count = json_count(value);
  if (count && *count <= kMostTokens) {
    target = count;
  }
}

// null and "" say nothing.
void take_text(std::string& target, JsonText::Value value) {
  const std::optional<std::string_view> text = json_string(value);
  if (text && !text->empty()) {
    target = *text;
  }
}

// The member `name` of each object in `value`, an array of objects.
void take_text_of_elements(std::string& target, JsonText::Value value, std::string_view first,
                           std::string_view second = {}) {
  const std::optional<JsonText::Array> array = json_array(value);
  if (!array) {
    return;
  }
  each_element(*array, [&](JsonText::Value element) {
    const std::optional<JsonText::Object> object = json_object(element);
    if (!object) {
      return;
    }
    each_member(*object, [&](std::string_view name, JsonText::Value member) {
      if (name == first || (!second.empty() && name == second)) {
        take_text(target, member);
      }
    });
  });
}

// Calls `take` with the member of that name, if `value` is an object that has one.
template <class Take>
void with_member(JsonText::Value value, std::string_view wanted, Take take) {
  const std::optional<JsonText::Object> object = json_object(value);
  if (!object) {
    return;
  }
  each_member(*object, [&](std::string_view name, JsonText::Value member) {
    if (name == wanted) {
      take(member);
    }
  });
}

void take_text_of_member(std::string& target, JsonText::Value value, std::string_view wanted) {
  with_member(value, wanted, [&](JsonText::Value member) { take_text(target, member); });
}

void take_header_count(std::optional<std::int64_t>& target, const Headers& headers,
                       std::string_view name) {
  const std::string_view text = header(headers, name);
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (!text.empty() && error == std::errc() && end == text.data() + text.size() && count >= 0 &&
      count <= kMostTokens) {
    target = count;
  }
}

// "ns#ThrottlingException:http://..." is ThrottlingException (Smithy's rule for error types).
std::string_view error_name(std::string_view type) {
  type = type.substr(0, type.find(':'));
  const std::size_t hash = type.find('#');
  if (hash != std::string_view::npos) {
    type.remove_prefix(hash + 1);
  }
  while (!type.empty() && type.back() == ' ') {
    type.remove_suffix(1);
  }
  return type;
}

// {"code":..,"type":..}; a code is more exact than a type.
void read_error_object(JsonText::Value value, ResponseFacts& facts) {
  const std::optional<JsonText::Object> object = json_object(value);
  if (!object) {
    return;
  }
  std::string type, code;
  each_member(*object, [&](std::string_view name, JsonText::Value member) {
    if (name == "type") {
      take_text(type, member);
    } else if (name == "code") {
      take_text(code, member);
    }
  });
  if (facts.error_code.empty()) {
    facts.error_code = code.empty() ? type : code;
  }
}

void read_converse_usage(JsonText::Value value, ResponseFacts& facts) {
  const std::optional<JsonText::Object> usage = json_object(value);
  if (!usage) {
    return;
  }
  each_member(*usage, [&](std::string_view name, JsonText::Value count) {
    if (name == "inputTokens") {
      take_count(facts.input_tokens, count);
    } else if (name == "outputTokens") {
      take_count(facts.output_tokens, count);
    } else if (name == "cacheReadInputTokens" || name == "cacheReadInputTokenCount") {
      take_count(facts.cache_read_tokens, count);
    } else if (name == "cacheWriteInputTokens" || name == "cacheWriteInputTokenCount") {
      take_count(facts.cache_write_tokens, count);
    }
  });
}

void read_invocation_metrics(JsonText::Value value, ResponseFacts& facts) {
  const std::optional<JsonText::Object> metrics = json_object(value);
  if (!metrics) {
    return;
  }
  facts.has_invocation_metrics = true;
  if (std::exchange(facts.counted_so_far, false)) {
    facts.input_tokens = facts.output_tokens = {};
    facts.cache_read_tokens = facts.cache_write_tokens = {};
  }
  each_member(*metrics, [&](std::string_view name, JsonText::Value count) {
    if (name == "inputTokenCount") {
      take_count(facts.input_tokens, count);
    } else if (name == "outputTokenCount") {
      take_count(facts.output_tokens, count);
    } else if (name == "cacheReadInputTokenCount") {
      take_count(facts.cache_read_tokens, count);
    } else if (name == "cacheWriteInputTokenCount") {
      take_count(facts.cache_write_tokens, count);
    }
  });
}

// Of message_start and message_delta: what a stream that is cut before its last chunk is known to
// have cost. message_start has one output token, whatever follows.
void read_anthropic_usage(JsonText::Value value, bool with_output, ResponseFacts& facts) {
  const std::optional<JsonText::Object> usage = json_object(value);
  if (!usage || facts.has_invocation_metrics) {
    return;
  }
  facts.counted_so_far = true;
  each_member(*usage, [&](std::string_view name, JsonText::Value count) {
    if (name == "input_tokens") {
      take_count(facts.input_tokens, count);
    } else if (name == "output_tokens" && with_output) {
      take_count(facts.output_tokens, count);
    } else if (name == "cache_read_input_tokens") {
      take_count(facts.cache_read_tokens, count);
    } else if (name == "cache_creation_input_tokens") {
      take_count(facts.cache_write_tokens, count);
    }
  });
}

void read_anthropic_type(JsonText::Value value, ResponseFacts& facts) {
  const std::optional<std::string_view> type = json_string(value);
  if (type == "message_start") {
    facts.awaited_end = "message_stop";
  } else if (type == "message_stop") {
    facts.awaited_end = {};
    facts.finished = true;
  }
}

void read_openai_usage(JsonText::Value value, ResponseFacts& facts) {
  const std::optional<JsonText::Object> usage = json_object(value);
  if (!usage) {
    return;
  }
  std::optional<std::int64_t> prompt, from_cache;
  each_member(*usage, [&](std::string_view name, JsonText::Value count) {
    if (name == "prompt_tokens" || name == "input_tokens") {
      take_count(prompt, count);
    } else if (name == "completion_tokens" || name == "output_tokens") {
      take_count(facts.output_tokens, count);
    } else if (name == "prompt_tokens_details" || name == "input_tokens_details") {
      with_member(count, "cached_tokens",
                  [&](JsonText::Value cached) { take_count(from_cache, cached); });
    }
  });
  if (from_cache) {
    facts.cache_read_tokens = from_cache;
  }
  if (prompt) {
    facts.input_tokens = std::max<std::int64_t>(*prompt - from_cache.value_or(0), 0);
  }
}

bool ends_response(std::string_view type) {
  return type == "response.completed" || type == "response.incomplete" || type == "response.failed";
}

}  // namespace

void read_token_headers(const Headers& headers, ResponseFacts& facts) {
  take_header_count(facts.input_tokens, headers, "X-Amzn-Bedrock-Input-Token-Count");
  take_header_count(facts.output_tokens, headers, "X-Amzn-Bedrock-Output-Token-Count");
  take_header_count(facts.cache_read_tokens, headers,
                    "X-Amzn-Bedrock-Cache-Read-Input-Token-Count");
  take_header_count(facts.cache_write_tokens, headers,
                    "X-Amzn-Bedrock-Cache-Write-Input-Token-Count");
}

void read_error_header(const Headers& headers, ResponseFacts& facts) {
  facts.error_code = error_name(header(headers, "x-amzn-ErrorType"));
}

void read_error_body(JsonText::Object body, ResponseFacts& facts) {
  std::string code, type;
  each_member(body, [&](std::string_view name, JsonText::Value value) {
    if (name == "__type") {
      take_text(type, value);
    } else if (name == "code") {
      take_text(code, value);
    } else if (name == "error") {
      read_error_object(value, facts);
    }
  });
  if (facts.error_code.empty()) {
    facts.error_code = error_name(type.empty() ? code : type);
  }
}

void read_converse_body(JsonText::Object body, ResponseFacts& facts) {
  each_member(body, [&](std::string_view name, JsonText::Value value) {
    if (name == "stopReason") {
      take_text(facts.stop_reason, value);
    } else if (name == "usage") {
      read_converse_usage(value, facts);
    }
  });
}

void read_invoke_body(JsonText::Object body, ResponseFacts& facts) {
  each_member(body, [&](std::string_view name, JsonText::Value value) {
    if (name == "amazon-bedrock-invocationMetrics") {
      read_invocation_metrics(value, facts);
    } else if (name == "stop_reason" || name == "stopReason" || name == "completionReason" ||
               name == "finish_reason" || name == "finishReason") {
      // Anthropic and Llama; Nova; Titan's chunks; Cohere Command R; Pegasus.
      take_text(facts.stop_reason, value);
    } else if (name == "delta") {  // Anthropic's message_delta
      take_text_of_member(facts.stop_reason, value, "stop_reason");
    } else if (name == "type") {
      read_anthropic_type(value, facts);
    } else if (name == "message") {  // Anthropic's message_start
      with_member(value, "usage",
                  [&](JsonText::Value usage) { read_anthropic_usage(usage, false, facts); });
    } else if (name == "usage" && facts.awaited_end == "message_stop") {  // and message_delta
      read_anthropic_usage(value, true, facts);
    } else if (name == "messageStart") {  // Nova's chunks
      facts.awaited_end = "messageStop";
    } else if (name == "messageStop") {
      take_text_of_member(facts.stop_reason, value, "stopReason");
      facts.awaited_end = {};
      facts.finished = true;
    } else if (name == "results") {  // Titan
      take_text_of_elements(facts.stop_reason, value, "completionReason");
    } else if (name == "outputs") {  // Mistral
      take_text_of_elements(facts.stop_reason, value, "stop_reason");
    } else if (name == "generations") {  // Cohere Command
      take_text_of_elements(facts.stop_reason, value, "finish_reason");
    } else if (name == "choices") {  // Mistral's chat form; AI21 Jamba; OpenAI's open models
      take_text_of_elements(facts.stop_reason, value, "stop_reason", "finish_reason");
    } else if (name == "completions") {  // AI21 Jurassic
      const std::optional<JsonText::Array> completions = json_array(value);
      if (!completions) {
        return;
      }
      each_element(*completions, [&](JsonText::Value element) {
        with_member(element, "finishReason", [&](JsonText::Value reason) {
          take_text_of_member(facts.stop_reason, reason, "reason");
        });
      });
    }
  });
}

void read_openai_body(JsonText::Object body, ResponseFacts& facts) {
  std::string type, code;
  each_member(body, [&](std::string_view name, JsonText::Value value) {
    if (name == "usage") {
      read_openai_usage(value, facts);
    } else if (name == "choices") {
      take_text_of_elements(facts.stop_reason, value, "finish_reason");
    } else if (name == "incomplete_details") {
      take_text_of_member(facts.stop_reason, value, "reason");
    } else if (name == "error") {
      read_error_object(value, facts);
    } else if (name == "response") {  // the events of the Responses API carry the response
      if (const std::optional<JsonText::Object> response = json_object(value)) {
        read_openai_body(*response, facts);
      }
    } else if (name == "type") {
      take_text(type, value);
    } else if (name == "code") {
      take_text(code, value);
    }
  });
  // The Responses API's last event where something failed: its code stands beside its type.
  const bool failed = type == "error";
  if (failed && facts.error_code.empty()) {
    facts.error_code = code.empty() ? type : code;
  }
  facts.finished = facts.finished || failed || ends_response(type);
}

}  // namespace invlog::bedrock
