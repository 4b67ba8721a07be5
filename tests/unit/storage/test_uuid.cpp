#include "storage/uuid.h"

#include "tests/catch.h"

using namespace invlog::storage;

TEST_CASE("A UUID in lower case becomes 16 bytes and comes back") {
  const std::string text = "0f9d5a3e-1c55-4d0e-9a51-6a2a2f4b7c11";
  const auto bytes = uuid_bytes(text);
  REQUIRE(bytes.has_value());
  CHECK(bytes->size() == 16);
  CHECK(static_cast<unsigned char>((*bytes)[1]) == 0x9d);
  CHECK(uuid_text(*bytes) == text);
}

TEST_CASE("Whatever would not read back exactly stays text") {
  for (const char* text :
       {"", "0F9D5A3E-1C55-4D0E-9A51-6A2A2F4B7C11", "0f9d5a3e1c554d0e9a516a2a2f4b7c11",
        "0f9d5a3e-1c55-4d0e-9a51-6a2a2f4b7c1", "0f9d5a3e-1c55-4d0e-9a51-6a2a2f4b7c111",
        "0f9d5a3e-1c55-4d0e-9a51_6a2a2f4b7c11", "0f9d5a3g-1c55-4d0e-9a51-6a2a2f4b7c11",
        "-f9d5a3e-1c55-4d0e-9a51-6a2a2f4b7c11"}) {
    INFO(text);
    CHECK(!uuid_bytes(text).has_value());
  }
}
