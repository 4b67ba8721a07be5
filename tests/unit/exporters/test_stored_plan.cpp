#include "exporters/stored_plan.h"
#include "tests/catch.h"

namespace invlog::exporters {
namespace {

TEST_CASE("A stored plan comes back with the target that it was made for") {
  const std::string plan = R"({"key":"a/b","n":[1,2]})";
  const std::string stored = stored_plan("s3://records \"eu\"", plan);
  CHECK(stored == R"({"target":"s3://records \"eu\"","batch":{"key":"a/b","n":[1,2]}})");
  const auto read = read_stored_plan(stored);
  REQUIRE(read);
  CHECK(read->target == "s3://records \"eu\"");
  CHECK(read->plan == plan);
}

TEST_CASE("What is no stored plan is none") {
  for (const std::string text :
       {"", "{", "{}", "x", R"({"target":"a")", R"({"target":"a","batch":)",
        R"({"target":"a","batch":})", R"({"target":"a","batch":{})", R"({"batch":{},"target":"a"})",
        R"({"target":1,"batch":{}})"}) {
    CHECK_FALSE(read_stored_plan(text));
  }
  CHECK(read_stored_plan(R"({"target":"a","batch":{}})")->plan == "{}");
}

}  // namespace
}  // namespace invlog::exporters
