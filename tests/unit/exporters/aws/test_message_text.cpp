#include "exporters/aws/message_text.h"

#include <string>

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

TEST_CASE("a secret that was cut off is hidden as far as it goes") {
  const std::string secret = "IQoJb3JpZ2luX2VjE" + std::string(1000, 'x') + "end";
  std::string text = one_line("the token " + secret + " is bad", 300);
  hide_secret(text, secret);
  CHECK(text == "the token [hidden]...");
  text = secret.substr(0, 12) + " " + secret.substr(0, 7) + " " + secret;
  hide_secret(text, secret);
  CHECK(text == "[hidden] IQoJb3J [hidden]");
}
