#include "exporters/aws/message_text.h"

#include "tests/catch.h"

using namespace invlog::aws;

TEST_CASE("text becomes one line of printable characters") {
  CHECK(one_line("plain text", 100) == "plain text");
  CHECK(one_line(" \n a\r\n\tb\0c \x1b[31m\x7f ", 100) == "a b");
  CHECK(one_line(std::string_view("a\0b", 3), 100) == "a b");
  CHECK(one_line("\xC3\xA4", 100) == "??");
  CHECK(one_line("", 100).empty());
}

TEST_CASE("text is cut at its limit, and that shows") {
  CHECK(one_line("1234567890", 10) == "1234567890");
  CHECK(one_line("12345678901", 10) == "1234567...");
  CHECK(one_line("12345", 2) == "..");
  CHECK(one_line("12345", 0).empty());
}

TEST_CASE("every occurrence of a secret is hidden, and what is too short to be one is left") {
  std::string text = "token=SECRETSECRET SECRETSECRET";
  hide_secret(text, "SECRETSECRET");
  CHECK(text == "token=[hidden] [hidden]");
  hide_secret(text, "");
  hide_secret(text, "token");
  CHECK(text == "token=[hidden] [hidden]");
}
