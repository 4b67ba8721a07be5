#include "agent/bedrock/openai_assembler.h"

#include "storage/base64.h"
#include "tests/catch.h"

using namespace invlog;
using namespace invlog::bedrock;

namespace {

std::string assemble(const std::vector<const char*>& events, ResponseFacts& facts) {
  JsonText parser;
  OpenaiAssembler assembler(parser, facts);
  for (const char* data : events) {
    assembler.add(data);
  }
  return assembler.body();
}

}  // namespace

TEST_CASE("chat completion events become an array without the end marker") {
  ResponseFacts facts;
  CHECK(assemble({"{\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}",
                  "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}",
                  "{\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2,"
                  "\"prompt_tokens_details\":{\"cached_tokens\":4}}}",
                  "[DONE]"},
                 facts) ==
        "[{\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]},"
        "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]},"
        "{\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2,"
        "\"prompt_tokens_details\":{\"cached_tokens\":4}}}]");
  CHECK(facts.input_tokens == 3);
  CHECK(facts.output_tokens == 2);
  CHECK(facts.cache_read_tokens == 4);
  CHECK_FALSE(facts.cache_write_tokens);
  CHECK(facts.stop_reason == "stop");
  CHECK(facts.finished);
}

TEST_CASE("the responses stream tells its usage in its last event") {
  ResponseFacts facts;
  assemble(
      {"{\"type\":\"response.created\",\"response\":{\"usage\":null}}",
       "{\"type\":\"response.completed\",\"response\":{\"error\":null,\"usage\":"
       "{\"input_tokens\":9,\"output_tokens\":3,\"input_tokens_details\":{\"cached_tokens\":1}}}}"},
      facts);
  CHECK(facts.input_tokens == 8);
  CHECK(facts.output_tokens == 3);
  CHECK(facts.cache_read_tokens == 1);
  CHECK(facts.finished);
  CHECK(facts.error_code.empty());
}

TEST_CASE("errors within the stream are taken") {
  ResponseFacts facts;
  assemble({"{\"error\":{\"message\":\"slow down\",\"type\":\"rate_limit\",\"code\":null}}"},
           facts);
  CHECK(facts.error_code == "rate_limit");
  ResponseFacts failed;
  assemble({"{\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"server_error\","
            "\"message\":\"m\"}}}"},
           failed);
  CHECK(failed.error_code == "server_error");
  CHECK(failed.finished);
}

TEST_CASE("an error event of the responses stream has its code beside its type, and is an end") {
  for (const auto& [event, code] : std::initializer_list<std::pair<const char*, const char*>>{
           {"{\"type\":\"error\",\"code\":\"server_error\",\"message\":\"boom\"}", "server_error"},
           {"{\"code\":null,\"message\":\"boom\",\"type\":\"error\"}", "error"},
           {"{\"type\":\"error\",\"error\":{\"type\":\"overloaded\"}}", "overloaded"}}) {
    INFO(event);
    ResponseFacts facts;
    assemble({event}, facts);
    CHECK(facts.error_code == code);
    CHECK(facts.finished);
  }
  ResponseFacts facts;
  assemble({"{\"type\":\"response.created\",\"code\":\"x\"}"}, facts);
  CHECK(facts.error_code.empty());
  CHECK_FALSE(facts.finished);
}

TEST_CASE("an event too deep for the array around it stays as a string") {
  const auto nested = [](int levels) {
    return std::string(static_cast<std::size_t>(levels), '[') +
           std::string(static_cast<std::size_t>(levels), ']');
  };
  ResponseFacts facts;
  const std::string deepest = nested(JsonText::kMaximumDepth - 1);
  const std::string deeper = nested(JsonText::kMaximumDepth);
  CHECK(assemble({deepest.c_str()}, facts) == "[" + deepest + "]");
  CHECK(assemble({deeper.c_str()}, facts) == "[\"" + deeper + "\"]");
}

TEST_CASE("data that is not UTF-8 stays as a string, its bytes beside it, and stops nothing") {
  JsonText parser;
  ResponseFacts facts;
  OpenaiAssembler assembler(parser, facts);
  assembler.add("{\"a\":1}");
  CHECK(assembler.other_events().elements().empty());
  const std::string bad = "{\"usage\":{\"prompt_tokens\":1},\"b\":\"\xFF\"}";
  assembler.add(bad);
  assembler.add("{\"choices\":[{\"finish_reason\":\"stop\"}]}");
  assembler.add("{\"cut");
  assembler.add("[DONE]");
  CHECK(assembler.body() ==
        "[{\"a\":1},\"{\\\"usage\\\":{\\\"prompt_tokens\\\":1},\\\"b\\\":\\\"\xEF\xBF\xBD\\\"}\","
        "{\"choices\":[{\"finish_reason\":\"stop\"}]},\"{\\\"cut\"]");
  CHECK(assembler.other_events().elements() ==
        "{\"type\":\"data\",\"payload\":\"" + storage::base64_encode(bad) + "\"}");
  CHECK_FALSE(facts.input_tokens);
  CHECK(facts.stop_reason == "stop");
  CHECK(facts.finished);
}

TEST_CASE("data that is not JSON stays as a string, and no event is no body") {
  ResponseFacts facts;
  CHECK(assemble({"{\"cut\":\"", "1"}, facts) == "[\"{\\\"cut\\\":\\\"\",1]");
  CHECK(assemble({"[DONE]"}, facts).empty());
}
