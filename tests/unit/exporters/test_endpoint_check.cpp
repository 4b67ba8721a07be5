#include "exporters/endpoint_check.h"

#include "tests/catch.h"

namespace invlog::exporters {
namespace {

using Judged = EndpointJudgement::Kind;

TEST_CASE("An endpoint is AWS's own, somebody's, or not of the Region") {
  struct Row {
    const char* service;
    const char* endpoint;
    Judged kind;
    const char* region;
  };
  const Row table[] = {
      {"s3", "https://s3.eu-central-1.amazonaws.com", Judged::own, "eu-central-1"},
      {"s3", "https://s3.eu-central-1.amazonaws.com.", Judged::own, "eu-central-1"},
      {"s3", "https://vpce-1.s3.eu-central-1.vpce.amazonaws.com", Judged::own, "eu-central-1"},
      {"logs", "https://logs.eu-central-1.api.aws:443", Judged::own, "eu-central-1"},
      {"sts", "https://sts.us-east-1.amazonaws.com", Judged::elsewhere, "us-east-1"},
      {"sts", "https://sts.amazonaws.com", Judged::unbound, ""},
      {"s3", "https://s3.eu-central-1.amazonaws.com.cn", Judged::unbound, "eu-central-1"},
      {"s3", "https://x.s3-accesspoint.eu-central-1.amazonaws.com", Judged::unbound,
       "eu-central-1"},
      {"s3", "http://s3.us-east-1.example.org", Judged::elsewhere, "us-east-1"},
      {"logs", "http://s3.us-east-1.example.org", Judged::custom, ""},
      {"s3", "http://127.0.0.1:9000", Judged::custom, ""},
      {"s3", "http://user:hush@s3.eu-central-1.amazonaws.com", Judged::malformed, ""},
      {"s3", "", Judged::malformed, ""}};
  for (const Row& row : table) {
    CAPTURE(row.service, row.endpoint);
    const EndpointJudgement judgement = judge_endpoint(row.service, row.endpoint, "eu-central-1");
    CHECK(judgement.kind == row.kind);
    CHECK(judgement.region == row.region);
  }
}

TEST_CASE("An endpoint that is refused does not show a password") {
  const auto refused =
      check_endpoint("s3", "exporters.s3", "http://user:hush@host", "eu-central-1", true);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message ==
        "exporters.s3.endpoint must be http://host[:port] or https://host[:port]");
}

}  // namespace
}  // namespace invlog::exporters
