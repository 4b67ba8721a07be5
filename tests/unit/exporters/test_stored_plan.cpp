#include "exporters/stored_plan.h"
#include "tests/catch.h"

namespace invlog::exporters {
namespace {

TEST_CASE("A stored plan comes back for its own target only") {
  const std::string plan = R"({"key":"a/b","n":[1,2]})";
  const std::string stored = stored_plan("s3://records \"eu\"", plan);
  CHECK(stored == R"({"target":"s3://records \"eu\"","batch":{"key":"a/b","n":[1,2]}})");
  CHECK(plan_for("s3://records \"eu\"", stored) == plan);
  CHECK_FALSE(plan_for("s3://records", stored));
  CHECK_FALSE(plan_for("s3://records \"eu\"2", stored));
}

TEST_CASE("What is no stored plan is none") {
  for (const std::string text :
       {"", "{", "{}", "x", R"({"target":"a")", R"({"target":"a","batch":)",
        R"({"target":"a","batch":})", R"({"target":"a","batch":{})"}) {
    CHECK_FALSE(plan_for("a", text));
  }
  CHECK(plan_for("a", R"({"target":"a","batch":{}})") == "{}");
}

}  // namespace
}  // namespace invlog::exporters
