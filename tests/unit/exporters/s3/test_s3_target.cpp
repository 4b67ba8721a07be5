#include "exporters/s3/s3_target.h"

#include "tests/catch.h"

using namespace invlog::exporters;

namespace {

S3Options at(const std::string& endpoint) {
  S3Options options;
  options.region = "eu-central-1";
  options.bucket = "records-eu";
  options.endpoint = endpoint;
  return options;
}

}  // namespace

TEST_CASE("A bucket is the same by whichever endpoint, but not with another owner of its name") {
  const std::string amazon[] = {"", "https://s3.eu-central-1.amazonaws.com",
                                "https://bucket.vpce-1a2b-3c.s3.eu-central-1.vpce.amazonaws.com"};
  const std::string others[] = {"http://127.0.0.1:9000", "http://localhost:9000"};
  for (const std::string& endpoint : amazon) {
    CAPTURE(endpoint);
    for (const std::string& former : amazon) {
      CHECK(is_s3_target(at(endpoint), s3_target(at(former))));
    }
    for (const std::string& other : others) {
      CHECK_FALSE(is_s3_target(at(endpoint), s3_target(at(other))));
      CHECK_FALSE(is_s3_target(at(other), s3_target(at(endpoint))));
    }
  }
  CHECK(is_s3_target(at(others[0]), s3_target(at(others[1]))));
  CHECK(s3_target(at(others[0])) == "s3://records-eu at http://127.0.0.1:9000");
}

TEST_CASE("Another bucket, or what is none, is not the same target") {
  for (const char* other : {"s3://records-eu2", "s3://records", "s3://records at records-eu", "",
                            "records-eu", "/invlog/records stream"}) {
    CAPTURE(other);
    CHECK_FALSE(is_s3_target(at(""), other));
  }
}
