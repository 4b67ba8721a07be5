#include "exporters/s3/batch_plan.h"

#include "tests/catch.h"
#include "tests/unit/exporters/s3/s3_fixture.h"

using namespace invlog::exporters;

TEST_CASE("A plan comes back as it was written") {
  S3Options options = test_options();
  options.prefix = "quote \" and ü/x";
  options.compression = Compression::zstd;
  options.large_bodies = false;
  options.large_body_bytes = 12'345;
  const std::string json = BatchPlan::of(options, test_origin()).json();
  const auto plan = BatchPlan::parse(json);
  REQUIRE(plan);
  CHECK(plan->prefix == options.prefix);
  CHECK(plan->account == "111122223333");
  CHECK(plan->compression == Compression::zstd);
  CHECK_FALSE(plan->large_bodies);
  CHECK(plan->large_body_bytes == 12'345);
  CHECK(plan->chain_head == std::string(64, 'a'));
  CHECK(plan->chain_segment == 9);
  CHECK_FALSE(plan->bodies_by_request);
  CHECK(plan->json() == json);
}

TEST_CASE("A plan of version 1 stays one, with its names of bodies") {
  std::string json = BatchPlan::of(test_options(), test_origin()).json();
  const std::string_view version = "\"version\":2";
  json.replace(json.find(version), version.size(), "\"version\":1");
  const auto plan = BatchPlan::parse(json);
  REQUIRE(plan);
  CHECK(plan->bodies_by_request);
  CHECK(plan->json() == json);
}

TEST_CASE("What is no plan is no plan, and does no harm") {
  const std::string good = BatchPlan::of(test_options(), test_origin()).json();
  REQUIRE(BatchPlan::parse(good));
  const auto with = [&](const std::string& what, const std::string& instead) {
    std::string text = good;
    const std::size_t at = text.find(what);
    REQUIRE(at != std::string::npos);
    return text.replace(at, what.size(), instead);
  };
  for (const std::string& bad :
       {std::string(),
        std::string("{"),
        std::string("[]"),
        std::string("{}"),
        std::string("null"),
        std::string("\0\0\0", 3),
        std::string(100'000, '['),
        with("\"version\":2", "\"version\":3"),
        with("\"version\":2", "\"version\":0"),
        with("\"gzip\"", "\"brotli\""),
        with("\"gzip\"", "7"),
        with("111122223333", "11112222333"),
        with("111122223333", "../../../../x"),
        with("\"prefix\":\"\"", "\"prefix\":\"/x\""),
        with("\"prefix\":\"\"", "\"prefix\":\"" + std::string(1025, 'p') + "\""),
        with("aaaa", "a\\r\\nx: y"),
        with(":9}", ":-9}"),
        with(":9}", ":9e99}"),
        with("102400", "-1"),
        with("\"account\"", "\"acount\"")}) {
    CAPTURE(bad);
    CHECK_FALSE(BatchPlan::parse(bad));
  }
  for (std::size_t length = 0; length < good.size(); ++length) {
    CHECK_FALSE(BatchPlan::parse(good.substr(0, length)));
  }
}

TEST_CASE("An account that is not known is part of a plan too") {
  Origin origin = test_origin();
  origin.store.account_id.clear();
  origin.chain_head.clear();
  const auto plan = BatchPlan::parse(BatchPlan::of(test_options(), origin).json());
  REQUIRE(plan);
  CHECK(plan->account.empty());
  CHECK(plan->chain_head.empty());
}
