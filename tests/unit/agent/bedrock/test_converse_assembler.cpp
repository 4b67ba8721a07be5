#include "agent/bedrock/converse_assembler.h"

#include "tests/catch.h"

using namespace invlog::bedrock;

namespace {

struct Event {
  const char* type;
  std::string payload;
};

struct Assembled {
  std::string body, others;
  bool complete = false;
};

Assembled assemble(const std::vector<Event>& events) {
  JsonText parser;
  ConverseAssembler assembler(parser);
  for (const Event& event : events) {
    assembler.add(event.type, event.payload);
  }
  Assembled out{assembler.body(), assembler.other_events().elements(),
                assembler.missing_event().empty()};
  if (!out.body.empty()) {
    INFO(out.body);
    CHECK(parser.parse(out.body));
  }
  return out;
}

// The assembled content of one message whose blocks come from `events`.
std::string content(std::vector<Event> events) {
  const std::string body = assemble(events).body;
  const std::string before = "{\"output\":{\"message\":{\"content\":[", after = "]}}}";
  if (body.substr(0, before.size()) != before || body.size() < before.size() + after.size()) {
    return "unexpected: " + body;
  }
  return body.substr(before.size(), body.size() - before.size() - after.size());
}

Event start(int index, const std::string& start) {
  return {"contentBlockStart", "{\"contentBlockIndex\":" + std::to_string(index) +
                                   ",\"p\":\"ab\",\"start\":" + start + "}"};
}
Event delta(int index, const std::string& delta) {
  return {"contentBlockDelta", "{\"contentBlockIndex\":" + std::to_string(index) +
                                   ",\"delta\":" + delta + ",\"p\":\"abc\"}"};
}
Event tool_input(int index, const std::string& escaped) {
  return delta(index, "{\"toolUse\":{\"input\":\"" + escaped + "\"}}");
}

}  // namespace

TEST_CASE("a stream becomes the body that Converse would have answered") {
  const Assembled assembled = assemble({
      {"messageStart", "{\"p\":\"abcdefghijklmnopqrs\",\"role\":\"assistant\"}"},
      delta(0, "{\"text\":\"I am \"}"),
      delta(0, "{\"text\":\"here\"}"),
      {"contentBlockStop", "{\"contentBlockIndex\":0,\"p\":\"abcdefghijkl\"}"},
      {"messageStop", "{\"p\":\"abcdefghijk\",\"stopReason\":\"max_tokens\"}"},
      {"metadata",
       "{\"metrics\":{\"latencyMs\":605},\"p\":\"abcdefghijklm\",\"usage\":{\"inputTokens\":8,"
       "\"outputTokens\":10,\"totalTokens\":18}}"},
  });
  CHECK(assembled.body ==
        "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"text\":\"I am here\"}]}},"
        "\"stopReason\":\"max_tokens\",\"metrics\":{\"latencyMs\":605},"
        "\"usage\":{\"inputTokens\":8,\"outputTokens\":10,\"totalTokens\":18}}");
  CHECK(assembled.complete);
  CHECK(assembled.others.empty());
}

TEST_CASE("members whose names are no text are in the body, too") {
  const Assembled assembled = assemble({
      start(0, R"({"toolUse":{"\ud800":1,"name":"f"}})"),
      delta(1, R"({"\ud800":{"\udc00":2},"text":"hi"})"),
      {"metadata", R"({"\ud800":3,"usage":{"inputTokens":8}})"},
  });
  CHECK(assembled.others.empty());
  for (const char* part :
       {":1,\"name\":\"f\"", R"({"\udc00":2})", R"("text":"hi")", ":3", R"({"inputTokens":8})"}) {
    INFO(part);
    CHECK(assembled.body.find(part) != std::string::npos);
  }
}

TEST_CASE("everything that messageStop and metadata carry is in the body") {
  const Assembled assembled = assemble({
      {"messageStop",
       "{\"stopReason\":\"end_turn\",\"additionalModelResponseFields\":{\"a\":1.50}}"},
      {"metadata",
       "{\"usage\":{},\"trace\":{\"guardrail\":{}},\"performanceConfig\":{\"latency\":\"standard\"}"
       ","
       "\"serviceTier\":{\"type\":\"flex\"},\"p\":\"abc\",\"news\":[1]}"},
  });
  CHECK(assembled.body ==
        "{\"output\":{\"message\":{\"content\":[]}},\"stopReason\":\"end_turn\",\"usage\":{},"
        "\"additionalModelResponseFields\":{\"a\":1.50},\"trace\":{\"guardrail\":{}},"
        "\"performanceConfig\":{\"latency\":\"standard\"},\"serviceTier\":{\"type\":\"flex\"},"
        "\"news\":[1]}");
}

TEST_CASE("a stream without its end is not complete") {
  CHECK_FALSE(assemble({{"messageStart", "{\"role\":\"assistant\"}"}}).complete);
  CHECK_FALSE(assemble({{"messageStop", "{\"stopReason\":\"end_turn\"}"}}).complete);
  CHECK(assemble({}).body.empty());
  CHECK(assemble({{"messageStart", "{\"role\":\"assistant\"}"}}).body ==
        "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[]}}}");
}

TEST_CASE("text is joined as received, escapes and surrogate pairs included") {
  CHECK(content({delta(0, "{\"text\":\"a\\n\\u00e9\"}"), delta(0, "{\"text\":\"\\ud83d\"}"),
                 delta(0, "{\"text\":\"\\ude00\"}")}) ==
        "{\"text\":\"a\\n\\u00e9\\ud83d\\ude00\"}");
  CHECK(content({delta(0, "{\"text\":\"\"}")}) == "{\"text\":\"\"}");
}

TEST_CASE("blocks are in the order of their index") {
  CHECK(content({delta(2, "{\"text\":\"c\"}"), delta(0, "{\"text\":\"a\"}"),
                 delta(1, "{\"text\":\"b\"}"), delta(0, "{\"text\":\"A\"}")}) ==
        "{\"text\":\"aA\"},{\"text\":\"b\"},{\"text\":\"c\"}");
}

TEST_CASE("a tool's input is joined and parsed") {
  const Event begin = start(1, "{\"toolUse\":{\"name\":\"f\",\"toolUseId\":\"t1\"}}");
  const std::string head = "{\"toolUse\":{\"name\":\"f\",\"toolUseId\":\"t1\",\"input\":";
  CHECK(content({begin, tool_input(1, "{\\\"city\\\""), tool_input(1, ":\\\"M\\u00fc"),
                 tool_input(1, "nchen\\\"}")}) == head + "{\"city\":\"M\xC3\xBCnchen\"}}}");
  CHECK(content({begin, tool_input(1, "{\\\"n\\\": 1.50}")}) == head + "{\"n\": 1.50}}}");
  CHECK(content({begin}) == head + "{}}}");
  CHECK(content({begin, tool_input(1, "")}) == head + "{}}}");
  CHECK(content({begin, tool_input(1, "{\\\"cut\\\":")}) == head + "\"{\\\"cut\\\":\"}}");
  CHECK(content({begin, tool_input(1, "\\ud83d")}) == head + "\"\\ud83d\"}}");
  CHECK(content({tool_input(0, "{}")}) == "{\"toolUse\":{\"input\":{}}}");
}

TEST_CASE("what is too deep for what is around it in the body costs nothing else of the body") {
  const auto nested = [](std::size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
  };
  const Event stop = {"messageStop", "{\"stopReason\":\"tool_use\"}"};
  const std::string head = "{\"toolUse\":{\"input\":";
  CHECK(content({tool_input(0, nested(994))}) == head + nested(994) + "}}");
  for (const std::size_t levels : {995, 1000, 1001}) {
    INFO(levels);
    CHECK(content({tool_input(0, nested(levels))}) == head + "\"" + nested(levels) + "\"}}");
    const Assembled assembled = assemble({tool_input(0, nested(levels)), stop});
    CHECK(assembled.body.find("\"stopReason\":\"tool_use\"") != std::string::npos);
  }
  // As deep as an event may be: assemble() checks that the body is JSON.
  for (const char* kind : {"citation", "video", "image", "toolResult", "reasoningContent"}) {
    for (const std::size_t levels : {990, 993, 996, 998}) {
      INFO(kind << " " << levels);
      const bool list = std::string_view(kind) == "toolResult";
      const std::string value = list ? nested(levels) : "{\"x\":" + nested(levels - 1) + "}";
      const Assembled assembled =
          assemble({delta(0, "{\"" + std::string(kind) + "\":" + value + "}"), stop});
      CHECK(assembled.body.find("\"stopReason\":\"tool_use\"") != std::string::npos);
      CHECK(JsonText().parse("{\"otherEvents\":[" + assembled.others + "]}"));
    }
  }
  const Assembled deep = assemble(
      {{"metadata", "{\"usage\":{\"inputTokens\":1},\"trace\":" + nested(999) + "}"}, stop});
  CHECK(deep.others.empty());
}

TEST_CASE("reasoning becomes reasoningText or redactedContent") {
  CHECK(content({delta(0, "{\"reasoningContent\":{\"text\":\"think\"}}"),
                 delta(0, "{\"reasoningContent\":{\"text\":\"ing\"}}"),
                 delta(0, "{\"reasoningContent\":{\"signature\":\"c2ln\"}}"),
                 delta(1, "{\"text\":\"done\"}")}) ==
        "{\"reasoningContent\":{\"reasoningText\":{\"text\":\"thinking\",\"signature\":\"c2ln\"}}},"
        "{\"text\":\"done\"}");
  CHECK(content({delta(0, "{\"reasoningContent\":{\"redactedContent\":\"c2VjcmV0\"}}")}) ==
        "{\"reasoningContent\":{\"redactedContent\":\"c2VjcmV0\"}}");
  // "a" and "bc", each with its own padding, are "abc".
  CHECK(content({delta(0, "{\"reasoningContent\":{\"redactedContent\":\"YQ==\"}}"),
                 delta(0, "{\"reasoningContent\":{\"redactedContent\":\"YmM=\"}}")}) ==
        "{\"reasoningContent\":{\"redactedContent\":\"YWJj\"}}");
  CHECK(content({delta(0, "{\"reasoningContent\":{\"redactedContent\":\"YQ\"}}"),
                 delta(0, "{\"reasoningContent\":{\"redactedContent\":\"!\"}}")}) ==
        "{\"reasoningContent\":{\"redactedContent\":\"YQ!\"}}");
}

TEST_CASE("citations turn a text block into citationsContent") {
  CHECK(content({delta(0, "{\"text\":\"It is so\"}"),
                 delta(0, "{\"citation\":{\"title\":\"A\",\"location\":{\"documentPage\":{}}}}"),
                 delta(0, "{\"text\":\".\"}"), delta(0, "{\"citation\":{\"title\":\"B\"}}")}) ==
        "{\"citationsContent\":{\"content\":[{\"text\":\"It is so.\"}],\"citations\":[{\"title\":"
        "\"A\",\"location\":{\"documentPage\":{}}},{\"title\":\"B\"}]}}");
}

TEST_CASE("images and tool results are assembled") {
  CHECK(content({start(0, "{\"image\":{\"format\":\"png\"}}"),
                 delta(0, "{\"image\":{\"source\":{\"bytes\":\"YWI=\"}}}"),
                 delta(0, "{\"image\":{\"source\":{\"bytes\":\"Yw==\"}}}")}) ==
        "{\"image\":{\"format\":\"png\",\"source\":{\"bytes\":\"YWJj\"}}}");
  CHECK(
      content({start(0, "{\"toolResult\":{\"status\":\"success\",\"toolUseId\":\"t\"}}"),
               delta(0, "{\"toolResult\":[{\"text\":\"a\"},{\"text\":\"b\"}]}"),
               delta(0, "{\"toolResult\":[{\"json\":{\"x\":1}},{\"text\":\"c\"}]}")}) ==
      "{\"toolResult\":{\"status\":\"success\",\"toolUseId\":\"t\",\"content\":[{\"text\":\"ab\"},"
      "{\"json\":{\"x\":1}},{\"text\":\"c\"}]}}");
}

TEST_CASE("a kind of content that is not known is kept") {
  CHECK(content({delta(0, "{\"hologram\":{\"x\":[1,2]}}"), delta(0, "{\"text\":5}")}) ==
        "{\"hologram\":{\"x\":[1,2]}},{\"text\":5}");
  CHECK(content({start(0, "{\"hologram\":{\"x\":1}}")}) == "{\"hologram\":{\"x\":1}}");
  CHECK(content({delta(0, "{\"reasoningContent\":{\"mood\":1}}")}) ==
        "{\"reasoningContent\":{\"mood\":1}}");
}

TEST_CASE("events without a place are kept aside") {
  const Assembled assembled = assemble({{"weather", "{\"sun\":true}"},
                                        {"contentBlockDelta", "not json"},
                                        {"contentBlockDelta", "{\"delta\":[]}"},
                                        {"metadata", "[1]"},
                                        {"messageStop", ""}});
  CHECK(assembled.body.empty());
  CHECK(assembled.others ==
        "{\"type\":\"weather\",\"payload\":{\"sun\":true}},"
        "{\"type\":\"contentBlockDelta\",\"payload\":\"bm90IGpzb24=\"},"
        "{\"type\":\"contentBlockDelta\",\"payload\":{\"delta\":[]}},"
        "{\"type\":\"metadata\",\"payload\":\"WzFd\"},{\"type\":\"messageStop\",\"payload\":\"\"}");
}
