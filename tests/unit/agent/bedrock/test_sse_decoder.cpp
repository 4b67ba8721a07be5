#include "agent/bedrock/sse_decoder.h"

#include "tests/catch.h"

#include <vector>

using namespace invlog::bedrock;

namespace {

using Events = std::vector<std::string>;

Events decode(std::string_view stream, std::size_t piece = 1000000) {
  Events events;
  SseDecoder decoder;
  const auto take = [&] {
    while (auto data = decoder.next()) {
      events.push_back(*data);
    }
  };
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    decoder.feed(stream.substr(at, piece));
    take();
  }
  decoder.finish();
  take();
  return events;
}

}  // namespace

TEST_CASE("events end with an empty line, whatever the line ends") {
  const Events both = {"{\"a\":1}", "[DONE]"};
  CHECK(decode("data: {\"a\":1}\n\ndata: [DONE]\n\n") == both);
  CHECK(decode("data: {\"a\":1}\r\n\r\ndata: [DONE]\r\n\r\n") == both);
  CHECK(decode("data: {\"a\":1}\r\rdata: [DONE]\r\r") == both);
  CHECK(decode("data:{\"a\":1}\n\n\n\ndata:[DONE]\n\n") == both);
}

TEST_CASE("a stream cut at any place decodes the same") {
  const std::string stream =
      ": hello\r\nevent: x\r\ndata: one\r\ndata: two\r\n\r\nid: 5\r\ndata: three\r\n\r\n";
  const Events expected = {"one\ntwo", "three"};
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    INFO(piece);
    CHECK(decode(stream, piece) == expected);
  }
}

TEST_CASE("comments, other fields and events without data say nothing") {
  CHECK(decode(": ping\n\nevent: x\n\nid: 1\nretry: 5\n\nnonsense\n\n").empty());
  CHECK(decode("").empty());
  CHECK(decode("\n\n\n").empty());
}

TEST_CASE("data lines are joined, and only one space is taken off") {
  CHECK(decode("data:  a\ndata\ndata: b\n\n") == Events{" a\n\nb"});
  CHECK(decode("data\n\n") == Events{""});
  CHECK(decode("data: a:b\n\n") == Events{"a:b"});
  CHECK(decode("database: x\n\n").empty());
}

TEST_CASE("an event at the end counts without its empty line") {
  CHECK(decode("data: a\n\ndata: {\"cut\":") == Events{"a", "{\"cut\":"});
  CHECK(decode("data: a\n\ndata: b\n") == Events{"a", "b"});
  CHECK(decode("data: a\r") == Events{"a"});
}

TEST_CASE("a byte order mark at the very start is passed over") {
  CHECK(decode("\xEF\xBB\xBF"
               "data: a\n\n") == Events{"a"});
}
