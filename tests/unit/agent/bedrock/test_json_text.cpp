#include "agent/bedrock/json_text.h"

#include "tests/catch.h"

using namespace invlog::bedrock;

namespace {

bool valid(std::string_view text) {
  JsonText json;
  const bool copied = json.parse(text);
  std::string padded(text);
  JsonText::pad(padded);
  CHECK(padded == text);
  CHECK(json.parse_padded(padded) == copied);
  return copied;
}

}  // namespace

TEST_CASE("valid JSON texts") {
  for (const char* text : {"{}",
                           "[]",
                           " { } ",
                           "\r\n\t[ ]\n",
                           "null",
                           "true",
                           "false",
                           "0",
                           "-0",
                           "-1.5e+10",
                           "\"\"",
                           " \"a\" ",
                           "{\"a\":1}",
                           "{\"a\":{\"b\":[1,2,{\"c\":null}]}}",
                           "[1,\"2\",true]",
                           "[123456789012345678901234567890]",
                           "[1e999,-1E-999,0.1,0e0]",
                           "{\"a\":1,\"a\":2}",
                           "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\"]",
                           "[\"\\ud83d\"]",
                           "{\"\\ud800\":1}",
                           "{\"\\udc00\\ud800x\\\"\":{\"\\uD83D\\\\\":[]}}",
                           "[\"\xC3\xA9\xF0\x9F\x98\x80\"]",
                           "[\"\x7F\"]",
                           "{\"\":\"\"}",
                           "[[[[]]]]",
                           "[18446744073709551616]",
                           "[\"\\\\\"]",
                           "[\"{\\\"a\\\":[1,\"]"}) {
    INFO(text);
    CHECK(valid(text));
  }
}

TEST_CASE("texts that are not JSON") {
  for (const char* text : {"",
                           " ",
                           "{",
                           "}",
                           "[",
                           "]",
                           "[1,]",
                           "[,1]",
                           "[1 2]",
                           "[1,,2]",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{,}",
                           "{a:1}",
                           "{\"a\" 1}",
                           "{\"a\":1 \"b\":2}",
                           "{1:2}",
                           "[1}",
                           "{\"a\":1]",
                           "{} {}",
                           "{}x",
                           "[]]",
                           "[][]",
                           "{}}",
                           "tru",
                           "truex",
                           "True",
                           "nul",
                           "nullnull",
                           "NaN",
                           "[Infinity]",
                           "[-]",
                           "[+1]",
                           "[01]",
                           "[-01]",
                           "[1.]",
                           "[.5]",
                           "[1e]",
                           "[1e+]",
                           "[0x10]",
                           "[1.2.3]",
                           "[1-2]",
                           "1 2",
                           "\"a\" \"b\"",
                           "[\"a]",
                           "\"",
                           "[\"a\"b]",
                           "[\"\\x\"]",
                           "[\"\\u12\"]",
                           "[\"\\u12G4\"]",
                           "[\"\n\"]",
                           "[\"\x01\"]",
                           "[\"\t\"]",
                           "['a']",
                           "[\"\xFF\"]",
                           "[\"\xC3\"]",
                           "[\"\xED\xA0\x80\"]",
                           "[\"\xC0\x80\"]",
                           "\xEF\xBB\xBF{}",
                           "{\"a\":[}",
                           "{\"a\":{]}",
                           "[{\"a\":1]",
                           "// c\n{}",
                           "[1]//",
                           "undefined",
                           "{\"a\":\"b\"\"c\"}",
                           "[true false]",
                           "[tru]",
                           "{\"\\x\":1}",
                           "1,2",
                           "[\"a\":1]",
                           "[\"a\":\"b\"}]",
                           "{\"a\":\"b\":\"c\"}",
                           "\"a\":1",
                           "\"a\":1}",
                           "[\"a\":[]]",
                           "{\"a\":\"b\":{}}",
                           "[1:2]",
                           "[null:2]",
                           "{\"a\":[\"b\":1}]}",
                           "[:]",
                           "{:}",
                           "{\"a\"::1}",
                           "{\"\\u12\":1}",
                           "{\"\\ud83d\\ude0\":1}",
                           "{\"\\ud800\\x\":1}",
                           "{\"\\ud800:1}",
                           "],[",
                           "\"a\",\"b\""}) {
    INFO(text);
    CHECK_FALSE(valid(text));
  }
  CHECK_FALSE(valid(std::string_view("[1]\0", 4)));
  CHECK_FALSE(valid(std::string_view("[\"a\0b\"]", 7)));
}

TEST_CASE("nesting is bounded") {
  const auto nested = [](std::size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
  };
  CHECK(valid(nested(JsonText::kMaximumDepth)));
  CHECK_FALSE(valid(nested(JsonText::kMaximumDepth + 1)));
  CHECK_FALSE(valid(nested(1000000)));
  CHECK_FALSE(valid(std::string(1000000, '[')));
}

TEST_CASE("levels around a text count as its own") {
  JsonText json;
  for (const int around : {0, 1, 6}) {
    INFO(around);
    const auto levels = static_cast<std::size_t>(JsonText::kMaximumDepth - around);
    const std::string deepest = std::string(levels, '[') + std::string(levels, ']');
    CHECK(json.parse(deepest, around));
    CHECK_FALSE(json.parse("[" + deepest + "]", around));
    CHECK(json.parse(std::string(levels - 1, '[') + "1" + std::string(levels - 1, ']'), around));
    CHECK_FALSE(json.parse(std::string(levels, '[') + "1" + std::string(levels, ']'), around));
  }
  CHECK(json.parse("1", JsonText::kMaximumDepth - 1));
  CHECK_FALSE(json.parse("1", JsonText::kMaximumDepth));
}

TEST_CASE("values are read as received") {
  JsonText json;
  REQUIRE(json.parse(
      "{ \"text\" : \"a\\u00e9\\n\" , \"object\" : { \"x\" : 1.50 } , \"number\" : 12 , "
      "\"list\" : [ 1 , 2 ] , \"big\":123456789012345678901234567890, \"minus\":-1 , \"last\" : "
      "true }"));
  std::vector<std::string> raw;
  const auto object = json.object();
  REQUIRE(object);
  each_member(*object, [&](std::string_view name, JsonText::Value value) {
    raw.push_back(std::string(name) + "=" + std::string(json_raw(value)));
  });
  CHECK(raw == std::vector<std::string>{
                   "text=\"a\\u00e9\\n\"", "object={ \"x\" : 1.50 }", "number=12", "list=[ 1 , 2 ]",
                   "big=123456789012345678901234567890", "minus=-1", "last=true"});
  std::string text;
  std::vector<std::int64_t> counts;
  each_member(*json.object(), [&](std::string_view name, JsonText::Value value) {
    if (name == "text") {
      text = json_string(value).value_or("none");
    } else if (name == "list") {
      each_element(*json_array(value), [&](JsonText::Value element) {
        counts.push_back(json_count(element).value_or(-1));
      });
    } else {
      counts.push_back(json_count(value).value_or(-1));
    }
  });
  CHECK(text == "a\xC3\xA9\n");
  CHECK(counts == std::vector<std::int64_t>{-1, 12, 1, 2, -1, -1, -1});
}

TEST_CASE("a name that is no text keeps no other member from being read") {
  JsonText json;
  REQUIRE(json.parse(R"({"a":1,"\ud800\u0061\n":{"b":[2]},"\udc00":"x","\ud83d\ude00":3,"c":4})"));
  std::vector<std::string> members;
  each_member(*json.object(), [&](std::string_view name, JsonText::Value value) {
    members.push_back(std::string(name) + "=" + std::string(json_raw(value)));
  });
  CHECK(members == std::vector<std::string>{"a=1",
                                            "\xED\xA0\x80"
                                            "a\n={\"b\":[2]}",
                                            "\xED\xB0\x80=\"x\"", "\xF0\x9F\x98\x80=3", "c=4"});
  // Also if nobody takes what they are of.
  std::vector<std::string> names;
  each_member(*json.object(),
              [&](std::string_view name, JsonText::Value) { names.emplace_back(name); });
  CHECK(names.size() == 5);
  CHECK(names.back() == "c");
}

TEST_CASE("a top level of another kind is none") {
  JsonText json;
  CHECK_FALSE(json.object());
  REQUIRE(json.parse("[1]"));
  CHECK_FALSE(json.object());
  CHECK(json.array());
  REQUIRE(json.parse("1"));
  CHECK_FALSE(json.object());
  CHECK_FALSE(json.array());
  REQUIRE_FALSE(json.parse("{"));
  CHECK_FALSE(json.object());
}

TEST_CASE("a parser works on after a large text was trimmed away") {
  JsonText json;
  const std::string large = "[\"" + std::string(4 << 20, 'x') + "\"]";
  CHECK(json.parse(large));
  json.trim();
  CHECK_FALSE(json.array());
  CHECK(json.parse("{\"a\":1}"));
  json.trim();
  CHECK(json.parse("{\"a\":1}"));
  CHECK(json.object());
}
