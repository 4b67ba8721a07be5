#include "storage/json_writer.h"

#include "tests/catch.h"

using namespace invlog::storage;

namespace {

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

}  // namespace

TEST_CASE("JSON strings escape what must be and nothing else") {
  CHECK(quoted("") == "\"\"");
  CHECK(quoted("plain text/with slashes") == "\"plain text/with slashes\"");
  CHECK(quoted("a\"b\\c") == "\"a\\\"b\\\\c\"");
  CHECK(quoted("\n\r\t\b\f") == "\"\\n\\r\\t\\b\\f\"");
  CHECK(quoted(std::string_view("\0\x01\x1F\x7F", 4)) == "\"\\u0000\\u0001\\u001f\x7F\"");
  CHECK(quoted("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80") ==
        "\"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\"");
}

TEST_CASE("bytes that are not UTF-8 come out as U+FFFD each") {
  const std::string mark = "\xEF\xBF\xBD";
  CHECK(quoted("a\xFF"
               "b") == "\"a" + mark + "b\"");
  CHECK(quoted("\xC3") == "\"" + mark + "\"");
  CHECK(quoted("\xC0\x80") == "\"" + mark + mark + "\"");
  CHECK(quoted("\xED\xA0\x80") == "\"" + mark + mark + mark + "\"");
  CHECK(quoted("\xE2\x82") == "\"" + mark + mark + "\"");
  CHECK(quoted("\xF5\x80\x80\x80") == "\"" + mark + mark + mark + mark + "\"");
  CHECK(quoted("\xF0\x8F\xBF\xBF") == "\"" + mark + mark + mark + mark + "\"");
  CHECK(quoted("\xFF\"\xC3\xA9\n") == "\"" + mark + "\\\"\xC3\xA9\\n\"");
}

TEST_CASE("members are put together with their commas") {
  std::string out = "{";
  append_json_member(out, "a", "x\"");
  append_json_number(out, "b", -5);
  append_json_raw(out, "c", "{}");
  append_json_raw(out, "d", "[1]");
  out += '}';
  CHECK(out == "{\"a\":\"x\\\"\",\"b\":-5,\"c\":{},\"d\":[1]}");
}
