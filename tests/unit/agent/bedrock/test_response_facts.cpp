#include "agent/bedrock/response_facts.h"

#include "tests/catch.h"

using namespace invlog::bedrock;

namespace {

using Read = void (*)(JsonText::Object, ResponseFacts&);

ResponseFacts read(Read reader, std::string_view json, ResponseFacts facts = {}) {
  JsonText text;
  REQUIRE(text.parse(json));
  const auto object = text.object();
  REQUIRE(object);
  reader(*object, facts);
  return facts;
}

std::string invoke_stop(std::string_view json) {
  return read(read_invoke_body, json).stop_reason;
}

}  // namespace

TEST_CASE("token counts come from InvokeModel's headers") {
  ResponseFacts facts;
  read_token_headers({{"X-Amzn-Bedrock-Input-Token-Count", "5"},
                      {"x-amzn-bedrock-output-token-count", "10"},
                      {"X-Amzn-Bedrock-Cache-Read-Input-Token-Count", "0"},
                      {"X-Amzn-Bedrock-Cache-Write-Input-Token-Count", "18131"}},
                     facts);
  CHECK(facts.input_tokens == 5);
  CHECK(facts.output_tokens == 10);
  CHECK(facts.cache_read_tokens == 0);
  CHECK(facts.cache_write_tokens == 18131);
}

TEST_CASE("counts that are no whole numbers are unknown") {
  for (const char* value : {"", " 5", "5 ", "-1", "1.5", "abc", "99999999999999999999", "0x5"}) {
    INFO(value);
    ResponseFacts facts;
    read_token_headers({{"X-Amzn-Bedrock-Input-Token-Count", value}}, facts);
    CHECK_FALSE(facts.input_tokens);
  }
  const ResponseFacts facts =
      read(read_converse_body,
           "{\"usage\":{\"inputTokens\":-1,\"outputTokens\":\"7\",\"cacheReadInputTokens\":1.5,"
           "\"cacheWriteInputTokens\":null}}");
  CHECK_FALSE(facts.input_tokens);
  CHECK_FALSE(facts.output_tokens);
  CHECK_FALSE(facts.cache_read_tokens);
  CHECK_FALSE(facts.cache_write_tokens);
}

TEST_CASE("Converse usage has two spellings of the cache counts") {
  const ResponseFacts facts =
      read(read_converse_body,
           "{\"stopReason\":\"tool_use\",\"usage\":{\"inputTokens\":11,\"outputTokens\":236,"
           "\"totalTokens\":1275,\"cacheReadInputTokens\":0,\"cacheWriteInputTokens\":1028,"
           "\"serverToolUsage\":{}}}");
  CHECK(facts.input_tokens == 11);
  CHECK(facts.output_tokens == 236);
  CHECK(facts.cache_read_tokens == 0);
  CHECK(facts.cache_write_tokens == 1028);
  CHECK(facts.stop_reason == "tool_use");
  const ResponseFacts other =
      read(read_converse_body,
           "{\"usage\":{\"cacheReadInputTokenCount\":3,\"cacheWriteInputTokenCount\":4}}");
  CHECK(other.cache_read_tokens == 3);
  CHECK(other.cache_write_tokens == 4);
  CHECK_FALSE(other.input_tokens);
  CHECK(read(read_converse_body, "{\"usage\":[],\"stopReason\":5}").stop_reason.empty());
}

TEST_CASE("every vendor's stop reason is found") {
  CHECK(invoke_stop("{\"type\":\"message\",\"stop_reason\":\"end_turn\"}") == "end_turn");
  CHECK(invoke_stop("{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"}}") ==
        "tool_use");
  CHECK(invoke_stop("{\"stopReason\":\"max_tokens\"}") == "max_tokens");
  CHECK(invoke_stop("{\"messageStop\":{\"stopReason\":\"max_tokens\"}}") == "max_tokens");
  CHECK(invoke_stop("{\"results\":[{\"completionReason\":\"LENGTH\"}]}") == "LENGTH");
  CHECK(invoke_stop("{\"completionReason\":\"FINISH\"}") == "FINISH");
  CHECK(invoke_stop("{\"generation\":\"x\",\"stop_reason\":\"length\"}") == "length");
  CHECK(invoke_stop("{\"outputs\":[{\"stop_reason\":\"stop\"}]}") == "stop");
  CHECK(invoke_stop("{\"choices\":[{\"stop_reason\":\"length\"}]}") == "length");
  CHECK(invoke_stop("{\"choices\":[{\"finish_reason\":\"stop\"}]}") == "stop");
  CHECK(invoke_stop("{\"finish_reason\":\"COMPLETE\"}") == "COMPLETE");
  CHECK(invoke_stop("{\"message\":\"x\",\"finishReason\":\"stop\"}") == "stop");
  CHECK(invoke_stop("{\"generations\":[{\"finish_reason\":\"MAX_TOKENS\"}]}") == "MAX_TOKENS");
  CHECK(invoke_stop("{\"completions\":[{\"finishReason\":{\"reason\":\"endoftext\"}}]}") ==
        "endoftext");
}

TEST_CASE("what says nothing changes nothing") {
  for (const char* json :
       {"{\"stop_reason\":null}", "{\"stop_reason\":\"\"}", "{\"delta\":{}}", "{\"delta\":5}",
        "{\"outputs\":{}}", "{\"outputs\":[5]}", "{\"outputs\":[]}", "{\"completions\":[{}]}",
        "{\"completions\":5}", "{\"amazon-bedrock-invocationMetrics\":5}", "{}"}) {
    INFO(json);
    ResponseFacts before;
    before.stop_reason = "before";
    CHECK(read(read_invoke_body, json, before).stop_reason == "before");
  }
}

TEST_CASE("error codes come from header, then body") {
  const auto from_header = [](const char* value) {
    ResponseFacts facts;
    read_error_header({{"x-amzn-ErrorType", value}}, facts);
    return facts.error_code;
  };
  CHECK(from_header("ValidationException:http://internal.amazon.com/coral/com.amazon.bedrock/") ==
        "ValidationException");
  CHECK(from_header("ThrottlingException") == "ThrottlingException");
  CHECK(from_header("com.amazon#AccessDeniedException") == "AccessDeniedException");
  const auto from_body = [](const char* json) { return read(read_error_body, json).error_code; };
  CHECK(from_body("{\"__type\":\"com.amazon.coral.service#UnrecognizedClientException\","
                  "\"message\":\"m\"}") == "UnrecognizedClientException");
  CHECK(from_body("{\"code\":\"ThrottlingException\"}") == "ThrottlingException");
  CHECK(from_body("{\"error\":{\"message\":\"m\",\"type\":\"invalid_request_error\"}}") ==
        "invalid_request_error");
  CHECK(from_body("{\"error\":{\"code\":\"model_not_found\",\"type\":\"t\"}}") ==
        "model_not_found");
  CHECK(from_body("{\"error\":\"text\"}").empty());
  CHECK(from_body("{\"message\":\"m\"}").empty());
  ResponseFacts known;
  known.error_code = "FromHeader";
  CHECK(read(read_error_body, "{\"__type\":\"FromBody\",\"error\":{\"type\":\"x\"}}", known)
            .error_code == "FromHeader");
}

TEST_CASE("OpenAI bodies name their usage in two ways") {
  const ResponseFacts chat =
      read(read_openai_body,
           "{\"choices\":[{\"finish_reason\":\"tool_calls\"}],\"usage\":{\"prompt_tokens\":1,"
           "\"completion_tokens\":2,\"prompt_tokens_details\":null}}");
  CHECK(chat.input_tokens == 1);
  CHECK(chat.output_tokens == 2);
  CHECK_FALSE(chat.cache_read_tokens);
  CHECK(chat.stop_reason == "tool_calls");
  const ResponseFacts responses =
      read(read_openai_body,
           "{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"max_output_tokens\"},"
           "\"error\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":4,"
           "\"input_tokens_details\":{\"cached_tokens\":2}}}");
  CHECK(responses.input_tokens == 1);  // as Bedrock counts: without what came from the cache
  CHECK(responses.output_tokens == 4);
  CHECK(responses.cache_read_tokens == 2);
  CHECK(responses.stop_reason == "max_output_tokens");
  CHECK(responses.error_code.empty());
  for (const char* usage :
       {"{\"prompt_tokens\":100,\"prompt_tokens_details\":{\"cached_tokens\":60}}",
        "{\"prompt_tokens_details\":{\"cached_tokens\":60},\"prompt_tokens\":100}"}) {
    const ResponseFacts cached = read(read_openai_body, "{\"usage\":" + std::string(usage) + "}");
    CHECK(cached.input_tokens == 40);
    CHECK(cached.cache_read_tokens == 60);
  }
  CHECK(read(read_openai_body,
             "{\"usage\":{\"input_tokens\":2,\"input_tokens_details\":{\"cached_tokens\":5}}}")
            .input_tokens == 0);
  CHECK_FALSE(read(read_openai_body, "{\"usage\":{\"input_tokens_details\":{\"cached_tokens\":5}}}")
                  .input_tokens);
}
