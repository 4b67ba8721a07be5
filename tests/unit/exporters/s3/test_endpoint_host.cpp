#include "exporters/s3/endpoint_host.h"

#include "tests/catch.h"

using namespace invlog::exporters;

TEST_CASE("An endpoint is scheme, host and port, and nothing else") {
  CHECK(host_of_endpoint("https://S3.Example.ORG") == "s3.example.org");
  CHECK(host_of_endpoint("http://127.0.0.1:9000") == "127.0.0.1");
  CHECK(host_of_endpoint("http://[::1]:9000") == "::1");
  for (const char* bad :
       {"", "s3.example.org", "ftp://host", "http://", "http://host/", "http://host/path",
        "http://user@host", "http://host:", "http://host:9a", "http://host?x", "http://[::1",
        "http://[::1]x", "http://ho st", "http://a:b:c", "http://[host]"}) {
    CAPTURE(bad);
    CHECK(host_of_endpoint(bad).empty());
  }
}

TEST_CASE("AWS's own names are known in every partition") {
  for (const char* host :
       {"s3.eu-central-1.amazonaws.com", "s3.cn-north-1.amazonaws.com.cn", "s3.amazonaws.com.",
        "s3.eusc-de-east-1.amazonaws.eu", "s3.us-iso-east-1.c2s.ic.gov", "s3.eu-west-1.api.aws"}) {
    CAPTURE(host);
    CHECK(is_aws_host(host));
  }
  for (const char* host : {"localhost", "amazonaws.com.evil.org", "notamazonaws.com", "", "com"}) {
    CAPTURE(host);
    CHECK_FALSE(is_aws_host(host));
  }
}

TEST_CASE("The Region of an S3 endpoint is read from its name") {
  const std::pair<const char*, const char*> table[] = {
      {"s3.eu-central-1.amazonaws.com", "eu-central-1"},
      {"s3-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"},
      {"s3.dualstack.eu-central-1.amazonaws.com", "eu-central-1"},
      {"s3-fips.dualstack.us-east-1.amazonaws.com", "us-east-1"},
      {"bucket.vpce-1a2b3c4d-5e6f.s3.eu-west-3.vpce.amazonaws.com", "eu-west-3"},
      {"s3-eu-west-1.amazonaws.com", "eu-west-1"},
      {"s3-fips-us-gov-west-1.amazonaws.com", "us-gov-west-1"},
      {"s3.cn-north-1.amazonaws.com.cn", "cn-north-1"},
      {"s3.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"},
      {"s3.eu-central-1.wasabisys.com", "eu-central-1"},
      {"s3.amazonaws.com", ""},
      {"s3-accelerate.amazonaws.com", ""},
      {"s3-external-1.amazonaws.com", ""},
      {"m.mrap.accesspoint.s3-global.amazonaws.com", ""},
      {"minio.internal", ""},
      {"s3.fr-par.scw.cloud", ""},
      {"eu-central-1.example.org", ""},
      {"", ""},
      {"127.0.0.1", ""}};
  for (const auto& [host, region] : table) {
    CAPTURE(host);
    CHECK(region_of_host("s3", host) == region);
  }
}

TEST_CASE("The Region of another service's endpoint is read from its name, too") {
  const std::pair<const char*, const char*> table[] = {
      {"logs.eu-central-1.amazonaws.com", "eu-central-1"},
      {"logs-fips.us-east-1.amazonaws.com", "us-east-1"},
      {"s3.us-east-1.amazonaws.com", "us-east-1"},
      {"logs.us-east-1.localhost.localstack.cloud", "us-east-1"},
      {"s3.us-east-1.localhost.localstack.cloud", ""}};
  for (const auto& [host, region] : table) {
    CAPTURE(host);
    CHECK(region_of_host("logs", host) == region);
  }
}

TEST_CASE("An IP address is no name") {
  CHECK(is_ip_address("127.0.0.1"));
  CHECK(is_ip_address("::1"));
  CHECK_FALSE(is_ip_address("s3.example.org"));
  CHECK_FALSE(is_ip_address(""));
}
