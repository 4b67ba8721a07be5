#include "exporters/aws/http_date.h"

#include <string>

#include "tests/catch.h"

using namespace invlog::aws;

TEST_CASE("the three forms of an HTTP date are read") {
  const std::chrono::sys_seconds expected(std::chrono::seconds(784111777));
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == expected);
  CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == expected);
  CHECK(parse_http_date("Sun Nov  6 08:49:37 1994") == expected);
}

TEST_CASE("what is no date is none") {
  for (const std::string text : {"", "0", "120", "20150830", "20150830T123600Z", "GMT", "never",
                                 "Sun, 06 Nov 1994 99:49:37 GMT", "Sun, 06 Nov 1904 08:49:37 GMT",
                                 "Fri, 31 Dec 9999 23:59:59 GMT"}) {
    INFO(text);
    CHECK(!parse_http_date(text));
  }
  CHECK(!parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT" + std::string(100, ' ')));
  CHECK(!parse_http_date(std::string("Sun, 06 Nov 1994\0 08:49:37 GMT", 30)));
}
