#include "agent/cli/json_layout.h"

#include "tests/catch.h"

using namespace invlog::cli;

TEST_CASE("JSON is indented, strings and numbers left alone") {
  CHECK(indented_json(R"({"a":[1,2.50,{}],"b\"{,":"x, {y}: \\","c":[ ]})") ==
        "{\n  \"a\": [\n    1,\n    2.50,\n    {}\n  ],\n  \"b\\\"{,\": \"x, {y}: \\\\\",\n  "
        "\"c\": []\n}");
  CHECK(indented_json(" 12 ") == "12");
  CHECK(indented_json("") == "");
}

TEST_CASE("JSON becomes one line without white space between tokens") {
  CHECK(one_line_json("{\n \"a b\" : [ 1 , true ],\r\n\t\"c\" : { } }") ==
        "{\"a b\":[1,true],\"c\":{}}");
}

TEST_CASE("text that is not JSON does no harm") {
  for (const char* text : {"\"", "\"\\", "]]]]", "{", "}{", "[\"", "\\", "{\"a\""}) {
    INFO(text);
    CHECK(indented_json(text).size() < 100);
    CHECK(one_line_json(text).size() < 100);
  }
  CHECK(indented_json(std::string(10000, '[')).size() < 10000 * 203);
}
