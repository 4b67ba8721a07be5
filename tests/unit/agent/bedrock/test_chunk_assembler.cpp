#include "agent/bedrock/chunk_assembler.h"

#include "storage/base64.h"
#include "tests/catch.h"

using namespace invlog;
using namespace invlog::bedrock;

namespace {

struct Assembled {
  std::string body, others;
  ResponseFacts facts;
};

std::string payload(std::string_view content) {
  return "{\"bytes\":\"" + storage::base64_encode(content) + "\",\"p\":\"abcd\"}";
}

Assembled assemble(const std::vector<std::pair<const char*, std::string>>& events) {
  JsonText one, other;
  Assembled out;
  ChunkAssembler assembler(one, other, out.facts);
  for (const auto& [type, content] : events) {
    assembler.add(type, content);
  }
  out.body = assembler.body();
  out.others = assembler.other_events().elements();
  return out;
}

}  // namespace

TEST_CASE("chunks become an array of the model's own objects") {
  const Assembled assembled =
      assemble({{"chunk", payload("{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
                                  "\"end_turn\"}}")},
                {"chunk", payload("{\"type\":\"message_stop\",\"amazon-bedrock-invocationMetrics\":"
                                  "{\"inputTokenCount\":14,\"outputTokenCount\":10,"
                                  "\"cacheReadInputTokenCount\":3,\"cacheWriteInputTokenCount\":4}}"
                                  "\n")}});
  CHECK(
      assembled.body ==
      "[{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}},{\"type\":"
      "\"message_stop\",\"amazon-bedrock-invocationMetrics\":{\"inputTokenCount\":14,"
      "\"outputTokenCount\":10,\"cacheReadInputTokenCount\":3,\"cacheWriteInputTokenCount\":4}}]");
  CHECK(assembled.facts.stop_reason == "end_turn");
  CHECK(assembled.facts.input_tokens == 14);
  CHECK(assembled.facts.output_tokens == 10);
  CHECK(assembled.facts.cache_read_tokens == 3);
  CHECK(assembled.facts.cache_write_tokens == 4);
  CHECK(assembled.others.empty());
}

TEST_CASE("a chunk that is not JSON stays base64, and no chunk is no body") {
  CHECK(assemble({{"chunk", payload("\xFF\x00"
                                    "audio")},
                  {"chunk", payload("1")}})
            .body == "[\"/w==\",1]");
  CHECK(assemble({{"chunk", "{\"bytes\":\"not base64\"}"}}).body == "[\"not base64\"]");
  CHECK(assemble({}).body.empty());
}

TEST_CASE("a chunk too deep for the array around it stays base64") {
  const auto body_of = [](std::size_t levels) {
    return assemble({{"chunk", payload(std::string(levels, '[') + std::string(levels, ']'))}}).body;
  };
  JsonText text;
  CHECK(text.parse(body_of(999)));
  CHECK(body_of(999).size() == 2 * 1000);
  CHECK(body_of(1000).substr(0, 2) == "[\"");
  CHECK(text.parse(body_of(1000)));
}

TEST_CASE("an event too deep for the details around it is kept as base64") {
  const auto others_of = [](std::size_t levels) {
    return "{\"otherEvents\":[" +
           assemble({{"ping", std::string(levels, '[') + std::string(levels, ']')}}).others + "]}";
  };
  JsonText text;
  for (const std::size_t levels : {997, 998, 1000}) {
    INFO(levels);
    CHECK(text.parse(others_of(levels)));
    CHECK((others_of(levels).find("\"payload\":[") != std::string::npos) == (levels == 997));
  }
}

TEST_CASE("events that are no chunks are kept aside") {
  const Assembled assembled = assemble(
      {{"chunk", "{\"p\":\"abc\"}"}, {"chunk", "[]"}, {"ping", "{\"a\":1}"}, {"chunk", "xyz"}});
  CHECK(assembled.body.empty());
  CHECK(assembled.others ==
        "{\"type\":\"chunk\",\"payload\":{\"p\":\"abc\"}},{\"type\":\"chunk\",\"payload\":[]},"
        "{\"type\":\"ping\",\"payload\":{\"a\":1}},{\"type\":\"chunk\",\"payload\":\"eHl6\"}");
}
