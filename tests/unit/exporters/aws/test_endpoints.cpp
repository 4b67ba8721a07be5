#include "exporters/aws/endpoints.h"

#include "tests/catch.h"

using namespace invlog::aws;

TEST_CASE("a Region is told by its form") {
  for (const char* region :
       {"eu-central-1", "eu-south-2", "us-gov-west-1", "us-isob-east-1", "eusc-de-east-1",
        "ap-southeast-7", "cn-northwest-1", "mx-central-1"}) {
    INFO(region);
    CHECK(is_region_name(region));
  }
  for (const char* other : {"", "eu", "eu-1", "eu-central", "EU-central-1", "eu-central-1a",
                            "eu_central_1", "eu-central-1.", "eu--1", "-central-1", "eu-central-",
                            "eu-central-100", "../eu-central-1"}) {
    INFO(other);
    CHECK(!is_region_name(other));
  }
}

TEST_CASE("each partition has its own domain") {
  CHECK(service_host("bedrock-runtime", "eu-central-1") ==
        "bedrock-runtime.eu-central-1.amazonaws.com");
  CHECK(service_host("logs", "cn-north-1") == "logs.cn-north-1.amazonaws.com.cn");
  CHECK(service_host("logs", "eusc-de-east-1") == "logs.eusc-de-east-1.amazonaws.eu");
  CHECK(service_host("logs", "us-gov-west-1") == "logs.us-gov-west-1.amazonaws.com");
  CHECK(service_host("logs", "us-iso-east-1") == "logs.us-iso-east-1.c2s.ic.gov");
  CHECK(service_host("logs", "us-isob-east-1") == "logs.us-isob-east-1.sc2s.sgov.gov");
  CHECK(dual_stack_suffix_of("eu-central-1") == "api.aws");
  CHECK(dual_stack_suffix_of("cn-north-1") == "api.amazonwebservices.com.cn");
  CHECK(dual_stack_suffix_of("eusc-de-east-1") == "api.amazonwebservices.eu");
  CHECK(partition_of("us-gov-west-1") == "aws-us-gov");
  CHECK(partition_of("eusc-de-east-1") == "aws-eusc");
  CHECK(partition_of("eu-central-1") == "aws");
}

TEST_CASE("an AWS host name shows its Region") {
  const auto region = [](const char* host) { return region_in_host("bedrock-runtime", host); };
  CHECK(region("bedrock-runtime.eu-central-1.amazonaws.com") == "eu-central-1");
  CHECK(region("bedrock-runtime-fips.us-gov-west-1.amazonaws.com") == "us-gov-west-1");
  CHECK(region("vpce-0a1b-2c3d.bedrock-runtime.eu-west-3.vpce.amazonaws.com") == "eu-west-3");
  CHECK(region("bedrock-runtime.example.com") == "");
  CHECK(region("bedrock.eu-central-1.amazonaws.com") == "");
  CHECK(region("127.0.0.1") == "");
  CHECK(region("bedrock-runtime") == "");
}

TEST_CASE("a label of an AWS host name is a Region, in S3's older forms too") {
  CHECK(region_in_label("eu-central-1") == "eu-central-1");
  CHECK(region_in_label("s3-eu-west-1") == "eu-west-1");
  CHECK(region_in_label("s3-fips-us-gov-west-1") == "us-gov-west-1");
  CHECK(region_in_label("s3-fips") == "");
  CHECK(region_in_label("s3") == "");
  CHECK(region_in_label("s3-accelerate") == "");
}

TEST_CASE("a host name ends with a partition's domain, whole labels of it") {
  CHECK(aws_domain_of("logs.eu-central-1.amazonaws.com") == "amazonaws.com");
  CHECK(aws_domain_of("logs.cn-north-1.amazonaws.com.cn") == "amazonaws.com.cn");
  CHECK(aws_domain_of("x.api.aws") == "api.aws");
  CHECK(aws_domain_of("x.api.aws.ic.gov") == "api.aws.ic.gov");
  CHECK(aws_domain_of("amazonaws.eu") == "amazonaws.eu");
  for (const char* other : {"", "aws", "xamazonaws.com", "amazonaws.com.evil.test", "my-api.aws"}) {
    INFO(other);
    CHECK(aws_domain_of(other) == "");
  }
}
