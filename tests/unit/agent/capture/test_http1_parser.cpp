#include "agent/capture/http1_parser.h"

#include "tests/catch.h"

namespace invlog::capture {

TEST_CASE("A chunked request parses alike in one piece and byte by byte") {
  const std::string bytes =
      "POST /model/a%3A0/converse HTTP/1.1\r\nHoSt: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5;e=1\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\nNEXT";
  for (const std::size_t piece : {bytes.size(), std::size_t{1}, std::size_t{7}}) {
    INFO(piece);
    Http1Parser parser(Http1Parser::Kind::request);
    std::string body, pending;
    std::size_t taken = 0;
    for (std::size_t at = 0; at < bytes.size() && !parser.done(); at += piece) {
      pending += bytes.substr(at, piece);
      std::size_t consumed = 0;
      if (!parser.head_done()) {
        REQUIRE(parser.feed_head(pending, consumed));
        pending.erase(0, consumed);
        taken += consumed;
      }
      if (parser.head_done()) {
        REQUIRE(parser.feed_chunked(pending, consumed, body));
        pending.erase(0, consumed);
        taken += consumed;
      }
    }
    CHECK(parser.done());
    CHECK(taken == bytes.size() - 4);
    CHECK(parser.target == "/model/a%3A0/converse");
    CHECK(parser.headers.at(0).first == "HoSt");
    CHECK(body == "hello world");
    REQUIRE(parser.trailers.size() == 1);
    CHECK(parser.trailers[0].second == "1");
  }
}

TEST_CASE("A header over the limit is refused, however it is cut") {
  Http1Parser parser(Http1Parser::Kind::request);
  std::string bytes = "GET / HTTP/1.1\r\n";
  std::size_t consumed = 0;
  bool good = parser.feed_head(bytes, consumed);
  std::string pending;
  for (int line = 0; line < 3000 && good; ++line) {
    pending += "X-Header: 012345678901234567890123456789\r\n";
    good = parser.feed_head(pending, consumed);
    pending.erase(0, consumed);
  }
  CHECK_FALSE(good);
}

TEST_CASE("A request that a server might read otherwise is refused") {
  const auto problem = [](const std::string& headers) {
    Http1Parser parser(Http1Parser::Kind::request);
    std::size_t consumed = 0;
    const bool good = parser.feed_head("POST / HTTP/1.1\r\n" + headers + "\r\n", consumed);
    CHECK(good == parser.error().empty());
    return parser.error();
  };
  CHECK(problem("Host: a\r\nTransfer-Encoding: chunked\r\n") == "");
  CHECK(problem("Host: a\r\ntransfer-encoding:  Chunked \r\n") == "");
  for (const char* coding :
       {"chunked;q=1", "chunked ;x", "chunked,", ", chunked", "gzip, chunked", "chunked, chunked",
        "identity, chunked;a=b", "gzip", "identity", "\"chunked\"", "",
        "chunked\r\nTransfer-Encoding: chunked", "gzip\r\nTransfer-Encoding: chunked"}) {
    INFO(coding);
    CHECK(problem("Host: a\r\nTransfer-Encoding: " + std::string(coding) + "\r\n") != "");
  }
  CHECK(problem("Host: a\r\nhost: a\r\n") == "more than one Host");
  CHECK(problem("") == "");
}

TEST_CASE("A response's framing follows its status, its headers and its request") {
  const auto framing = [](const std::string& head, bool answers_head) {
    Http1Parser parser(Http1Parser::Kind::response);
    parser.begin(answers_head);
    std::size_t consumed = 0;
    REQUIRE(parser.feed_head(head, consumed));
    REQUIRE(parser.head_done());
    return parser.framing;
  };
  using Framing = Http1Parser::Framing;
  CHECK(framing("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false) == Framing::length);
  CHECK(framing("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true) == Framing::none);
  CHECK(framing("HTTP/1.1 304 Not\r\nContent-Length: 5\r\n\r\n", false) == Framing::none);
  CHECK(framing("HTTP/1.1 204 No\r\n\r\n", false) == Framing::none);
  CHECK(framing("HTTP/1.1 200 OK\r\n\r\n", false) == Framing::until_close);
  CHECK(framing("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false) ==
        Framing::chunked);
}

}  // namespace invlog::capture
