#include "agent/bedrock/content_coding.h"

#include "tests/catch.h"
#include "tests/unit/agent/bedrock/compressed.h"

using namespace invlog::bedrock;
using namespace invlog::tests;

namespace {

std::string varied(std::size_t size) {
  std::string out;
  std::uint32_t state = 1;
  while (out.size() < size) {
    state = state * 1664525 + 1013904223;
    out += static_cast<char>(state >> 24);
  }
  return out;
}

}  // namespace

TEST_CASE("every coding gives back what was compressed") {
  for (const std::string& content :
       {std::string(), std::string("{\"a\":1}"), varied(300000), std::string(300000, 'x')}) {
    INFO(content.size());
    CHECK(decode_content("gzip", gzip(content)).value() == content);
    CHECK(decode_content("x-gzip", gzip(content)).value() == content);
    CHECK(decode_content("deflate", deflated(content, 15)).value() == content);
    CHECK(decode_content("deflate", deflated(content, -15)).value() == content);
    CHECK(decode_content("zstd", zstd(content)).value() == content);
    CHECK(decode_content("br", brotli(content)).value() == content);
  }
}

TEST_CASE("names are read as RFC 9110 says") {
  CHECK_FALSE(has_content_coding(""));
  CHECK_FALSE(has_content_coding("identity"));
  CHECK_FALSE(has_content_coding(" Identity , "));
  CHECK(has_content_coding("gzip"));
  CHECK(has_content_coding("nonsense"));
  CHECK(decode_content("identity", "abc").value() == "abc");
  CHECK(decode_content("GZip", gzip("abc")).value() == "abc");
  CHECK(decode_content("gzip, br", brotli(gzip("abc"))).value() == "abc");
  CHECK(decode_content(" identity,gzip ", gzip("abc")).value() == "abc");
  CHECK(decode_content("gzip", gzip("ab") + gzip("c")).value() == "abc");
}

TEST_CASE("damage, ends within the stream and unknown codings say why") {
  CHECK(decode_content("compress", "abc").error().cause == "compress: unknown coding");
  CHECK(decode_content("gzip", "plain text").error().cause == "gzip: incorrect header check");
  CHECK(decode_content("gzip,gzip,gzip,gzip,gzip", "").error().cause == "more than 4 codings");
  const std::string content = varied(5000);
  const std::pair<const char*, std::string> bodies[] = {{"gzip", gzip(content)},
                                                        {"deflate", deflated(content, 15)},
                                                        {"br", brotli(content)},
                                                        {"zstd", zstd(content)}};
  for (const auto& [coding, body] : bodies) {
    INFO(coding);
    for (const std::size_t kept : {std::size_t{1}, body.size() / 2, body.size() - 1}) {
      CHECK_FALSE(decode_content(coding, body.substr(0, kept)));
    }
    CHECK(decode_content(coding, body.substr(0, body.size() - 1)).error().cause ==
          std::string(coding) + ": ends within the stream");
    CHECK(decode_content(coding, body.substr(0, body.size() - 1)).error().kind ==
          ContentFailure::Kind::ends_early);
    CHECK_FALSE(decode_content(coding, body + "behind"));
    CHECK(decode_content(coding, "no coding of these").error().kind !=
          ContentFailure::Kind::ends_early);
    CHECK_FALSE(decode_content(coding, ""));
  }
}

TEST_CASE("damage is told from a lacking end, with and without zlib's wrapper") {
  const std::string content = varied(5000);
  for (const int window_bits : {15, -15}) {
    const std::string body = deflated(content, window_bits);
    CHECK(decode_content("deflate", body.substr(0, body.size() / 2)).error().kind ==
          ContentFailure::Kind::ends_early);
  }
  std::string body = gzip(content);
  body[body.size() - 8] ^= 1;  // its checksum
  CHECK(decode_content("gzip", body).error().kind == ContentFailure::Kind::damaged);
  CHECK(decode_content("gzip", body).error().kind != ContentFailure::Kind::ends_early);
  CHECK(decode_content("compress", body).error().kind != ContentFailure::Kind::damaged);
  CHECK(decode_content("gzip", gzip(content), 10).error().kind != ContentFailure::Kind::damaged);
}

TEST_CASE("a bomb is not decoded beyond the bound") {
  const std::string bomb(1 << 20, '\0');
  const std::pair<const char*, std::string> bodies[] = {{"gzip", gzip(bomb)},
                                                        {"deflate", deflated(bomb, 15)},
                                                        {"br", brotli(bomb)},
                                                        {"zstd", zstd(bomb)}};
  for (const auto& [coding, body] : bodies) {
    INFO(coding);
    CHECK(body.size() < 3000);
    CHECK(decode_content(coding, body, 1 << 20).value() == bomb);
    CHECK(decode_content(coding, body, (1 << 20) - 1).error().cause ==
          std::string(coding) + ": decodes to more than 1048575 bytes");
  }
  // Each layer is held to the bound.
  CHECK_FALSE(decode_content("gzip, gzip", gzip(gzip(bomb)), 100000));
}
