#include "storage/base64.h"

#include "tests/catch.h"

using namespace invlog::storage;

TEST_CASE("base64 encodes RFC 4648's own examples and reads them back") {
  const std::pair<const char*, const char*> examples[] = {{"", ""},
                                                          {"f", "Zg=="},
                                                          {"fo", "Zm8="},
                                                          {"foo", "Zm9v"},
                                                          {"foob", "Zm9vYg=="},
                                                          {"fooba", "Zm9vYmE="},
                                                          {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : examples) {
    CHECK(base64_encode(bytes) == text);
    CHECK(base64_decode(text) == std::string(bytes));
  }
  std::string out = "before ";
  append_base64(out, "foo");
  CHECK(out == "before Zm9v");
}

TEST_CASE("base64 keeps every byte at every length") {
  std::string bytes;
  for (int length = 0; length < 600; ++length) {
    CHECK(base64_decode(base64_encode(bytes)) == bytes);
    bytes += static_cast<char>(length * 7);
  }
}

TEST_CASE("base64 refuses what is not base64") {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg==Zg==", "Z===", "====", "Zm9v\n", "Zm 9", "Zm9-",
                           "Zm9_", "Zh==", "Zm9=", "=m9v", "Zg=a"}) {
    INFO(text);
    CHECK_FALSE(base64_decode(text));
  }
}
