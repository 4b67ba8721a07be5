#include "agent/bedrock/user_names.h"

#include "tests/catch.h"

using namespace invlog::bedrock;

TEST_CASE("a user is named, and one without a name shows as the number") {
  CHECK(user_name(0) == "root");
  CHECK(user_name(4294967000U) == "4294967000");
  CHECK(user_name(0) == "root");
}

TEST_CASE("more users than are kept are all named") {
  for (std::uint32_t uid = 4000000000U; uid < 4000000600U; ++uid) {
    CHECK(user_name(uid) == std::to_string(uid));
  }
  CHECK(user_name(0) == "root");
}
