#include "exporters/aws/repeated_request.h"

#include "tests/catch.h"

using namespace invlog::aws;

namespace {

const std::string kLeftOut = "[invlog left out the request that the service repeated here]";

std::string cut(std::string body) {
  CHECK(cut_repeated_request(body));
  return body;
}

}  // namespace

TEST_CASE("a message ends where the request begins that the service repeats") {
  CHECK(without_repeated_request("No match.\n\nThe Canonical String should\nTOKEN") ==
        "No match.\n\n");
  CHECK(without_repeated_request("No match. The String-to-Sign should have been 'x'") ==
        "No match. ");
  CHECK(without_repeated_request("It requires a date. Authorization=AWS4 KEY") ==
        "It requires a date. ");
  CHECK(without_repeated_request("POST / x-amz-security-token:TOKEN") == "POST / ");
  CHECK(without_repeated_request("The model is unknown.") == "The model is unknown.");
}

TEST_CASE("of a JSON error only the string goes that repeats the request") {
  CHECK(
      cut(R"( {"a" : "b\/", "message":"No \"match\".\n\nThe Canonical String 'TOKEN\"'", "n": 1})") ==
      R"( {"a" : "b\/", "message":"No \"match\".\n\n)" + kLeftOut + R"(", "n": 1})");
  // However deep it is, and in each of them.
  CHECK(cut(R"({"errors":[{"message":"The Canonical String A"},{"x":"Authorization=B"}]})") ==
        R"({"errors":[{"message":")" + kLeftOut + R"("},{"x":")" + kLeftOut + R"("}]})");
}

TEST_CASE("an escape hides no request") {
  CHECK(cut(R"({"message":"Date? Authorization\u003dAWS4 KEY"})") ==
        R"({"message":"Date? )" + kLeftOut + R"("})");
}

TEST_CASE("a request goes also from an error that was cut, or is no JSON") {
  CHECK(cut(R"({"message":"No match. The Canonical String TOK)") ==
        R"({"message":"No match. )" + kLeftOut);
  CHECK(cut("<Error><Message>No match. The Canonical String TOKEN</Message>") ==
        "<Error><Message>No match. " + kLeftOut);
  CHECK(cut("{Authorization=KEY}") == "{" + kLeftOut);
}

TEST_CASE("an error that repeats nothing stays as it is") {
  for (const std::string body : {"", "{\"message\":\"The model \\u00e9 is unknown.\"}", "{\"",
                                 "{\"\\", "<html>\xff no", "[]", "\"Authorization\""}) {
    std::string same = body;
    CHECK_FALSE(cut_repeated_request(same));
    CHECK(same == body);
  }
}
