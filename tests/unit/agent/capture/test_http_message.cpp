#include "agent/capture/http_message.h"

#include "tests/catch.h"

namespace invlog::capture {

TEST_CASE("Header names are compared without case, values kept") {
  const Headers headers{{"Content-TYPE", "a"}, {"x-two", "b"}, {"X-Two", "c"}};
  CHECK(find_header(headers, "content-type") == "a");
  CHECK(find_header(headers, "X-TWO") == "b");
  CHECK(find_header(headers, "x-three").empty());
  CHECK(has_header(headers, "X-two"));
  CHECK_FALSE(has_header(headers, "x-tw"));
  CHECK_FALSE(equal_ignoring_case("[", "{"));  // letters only
}

TEST_CASE("A token is found in any list of that name, and only whole") {
  const Headers headers{{"Connection", " keep-alive ,, X-Hop"}, {"connection", "\tClose\t"}};
  CHECK(header_has_token(headers, "connection", "close"));
  CHECK(header_has_token(headers, "CONNECTION", "x-hop"));
  CHECK(header_has_token(headers, "connection", "Keep-Alive"));
  CHECK_FALSE(header_has_token(headers, "connection", "hop"));
  CHECK_FALSE(header_has_token(headers, "connection", ""));
}

TEST_CASE("Hop-by-hop headers go, with those that Connection names, except the length") {
  Headers headers{{"Keep-Alive", "5"},
                  {"A", "1"},
                  {"Connection", "B, content-length"},
                  {"b", "2"},
                  {"Content-Length", "3"},
                  {"Upgrade", "h2c"},
                  {"HTTP2-Settings", "x"},
                  {"Proxy-Connection", "x"},
                  {"proxy-authenticate", "x"},
                  {"Trailer", "X-Sum"},
                  {"te", "trailers"}};
  remove_hop_by_hop(headers);
  CHECK(headers == Headers{{"A", "1"}, {"Content-Length", "3"}, {"Trailer", "X-Sum"}});
}

TEST_CASE("An answer of our own is JSON in AWS's shape, whatever the message") {
  const LocalResponse answer = aws_error(403, "AccessDeniedException", "a \"b\" \\ c\n\x01\xff");
  CHECK(answer.head.status == 403);
  CHECK(answer.head.reason == "Forbidden");
  CHECK(answer.body == "{\"message\":\"a \\\"b\\\" \\\\ c\\n\\u0001\xEF\xBF\xBD\"}");
  CHECK(find_header(answer.head.headers, "x-amzn-ErrorType") == "AccessDeniedException");
  CHECK(find_header(answer.head.headers, "content-length") == std::to_string(answer.body.size()));
  CHECK(answer.head.body == ResponseHead::Body::length);
}

}  // namespace invlog::capture
