#include <string>

#include "exporters/cloudwatch_logs/log_target.h"
#include "tests/catch.h"

using namespace invlog::exporters;
using invlog::aws::name_of;

namespace {

CloudWatchLogsOptions options(const std::string& endpoint = "", bool attested = false) {
  CloudWatchLogsOptions options;
  options.region = "eu-central-1";
  options.log_group = "/invlog/records";
  options.endpoint = endpoint;
  options.region_attested = attested;
  return options;
}

// "" allowed, else what kind of refusal.
std::string refusal(const CloudWatchLogsOptions& options, const std::string& host = "host-7") {
  const auto allowed = check_target(options, log_target(options, host));
  return allowed ? "" : name_of(allowed.error().kind);
}

}  // namespace

TEST_CASE("the endpoint must be in the source Region and be vouched for") {
  struct Case {
    const char* endpoint;
    bool attested;
    const char* refusal;
  };
  for (const Case& each : {
           Case{"", false, ""},
           Case{"http://127.0.0.1:5000", true, ""},
           Case{"http://127.0.0.1:5000", false, "redirected"},
           Case{"http://[::1]:5000", true, ""},
           Case{"https://logs.eu-central-1.amazonaws.com", true, ""},
           Case{"https://logs.eu-central-1.amazonaws.com", false, "redirected"},
           Case{"https://logs.us-east-1.amazonaws.com", true, "redirected"},
           Case{"https://LOGS.US-EAST-1.AMAZONAWS.COM", true, "redirected"},
           Case{"https://logs-fips.us-east-1.amazonaws.com:443", true, "redirected"},
           Case{"https://logs.us-east-1.api.aws", true, "redirected"},
           Case{"https://vpce-1.logs.eu-west-1.vpce.amazonaws.com", true, "redirected"},
           Case{"https://vpce-1.logs.eu-central-1.vpce.amazonaws.com", true, ""},
           Case{"http://logs.us-east-1.localhost.localstack.cloud:4566", true, "redirected"},
           Case{"https://s3.us-east-1.amazonaws.com", true, "redirected"},
           Case{"https://logs.cn-north-1.amazonaws.com.cn", true, "redirected"},
           Case{"https://logs.amazonaws.com", true, "redirected"},
           Case{"https://logs.eu-central-1.amazonaws.com.cn", true, "redirected"},
           Case{"https://logs.eusc-de-east-1.amazonaws.eu", true, "redirected"},
           Case{"https://a@logs.us-east-1.amazonaws.com", true, "rejected"},
           Case{"127.0.0.1:5000", true, "rejected"},
           Case{"ftp://127.0.0.1", true, "rejected"},
           Case{"http://127.0.0.1/path", true, "rejected"},
           Case{"http://log-store-1.internal", true, ""},
       }) {
    INFO(each.endpoint << " " << each.attested);
    CHECK(refusal(options(each.endpoint, each.attested)) == each.refusal);
  }
}

TEST_CASE("a refused endpoint is named with both Regions") {
  const CloudWatchLogsOptions configured = options("https://logs.us-east-1.amazonaws.com", true);
  const auto allowed = check_target(configured, log_target(configured, ""));
  REQUIRE(!allowed);
  CHECK(allowed.error().message ==
        "exporters.cloudwatch_logs.endpoint \"https://logs.us-east-1.amazonaws.com\" is in "
        "us-east-1, the source Region is eu-central-1; nothing was sent");
}

TEST_CASE("AWS's own endpoint is that of the Region's partition") {
  CloudWatchLogsOptions configured = options();
  CHECK(logs_endpoint(configured) == "https://logs.eu-central-1.amazonaws.com");
  configured.region = "eusc-de-east-1";
  CHECK(logs_endpoint(configured) == "https://logs.eusc-de-east-1.amazonaws.eu");
  configured.endpoint = "http://127.0.0.1:5000";
  CHECK(logs_endpoint(configured) == "http://127.0.0.1:5000");
}

TEST_CASE("names are what the service takes") {
  for (const char* group : {"a", "/invlog/records", "A-z_0.9#/x", "awsx", "/aws/bedrock"}) {
    CloudWatchLogsOptions configured = options();
    configured.log_group = group;
    INFO(group);
    CHECK(refusal(configured) == "");
  }
  for (const std::string& group :
       {std::string(), std::string("aws/bedrock"), std::string("a b"), std::string("a:b"),
        std::string("gr\xC3\xBC"), std::string(513, 'a')}) {
    CloudWatchLogsOptions configured = options();
    configured.log_group = group;
    INFO(group);
    CHECK(refusal(configured) == "rejected");
  }
  for (const std::string& stream :
       {std::string(), std::string("a:b"), std::string("a*"), std::string(513, 'a')}) {
    CloudWatchLogsOptions configured = options();
    configured.log_stream = stream;
    INFO(stream);
    CHECK(refusal(configured) == "rejected");
  }
  CloudWatchLogsOptions longest = options();
  longest.log_group = std::string(512, 'a');
  longest.log_stream = std::string(502, 'a');
  CHECK(refusal(longest) == "");
}

TEST_CASE("a stream's name leaves room for the host and for the stream of chain heads") {
  CloudWatchLogsOptions configured = options();
  configured.log_stream = std::string(503, 'a');
  CHECK(refusal(configured) == "rejected");
  configured.log_stream = std::string(495, 'a');
  configured.host_suffix = true;
  CHECK(refusal(configured, "host-7") == "");
  CHECK(refusal(configured, "host-77") == "rejected");
}

TEST_CASE("the host goes behind the stream's name, without what a name cannot have") {
  CloudWatchLogsOptions configured = options();
  CHECK(log_target(configured, "a:b").stream == "aws/bedrock/modelinvocations");
  configured.host_suffix = true;
  const LogTarget target = log_target(configured, "fe80::1*x.example.com");
  CHECK(target.stream == "aws/bedrock/modelinvocations/fe80--1-x.example.com");
  CHECK(target.integrity_stream == target.stream + "/integrity");
  CHECK(refusal(configured, "fe80::1*x") == "");
}

TEST_CASE("a retention is one of the service's") {
  for (const int days : {0, 1, 90, 365, 3653}) {
    CloudWatchLogsOptions configured = options();
    configured.retention_days = days;
    INFO(days);
    CHECK(refusal(configured) == "");
  }
  for (const int days : {-1, 2, 100, 366, 3654}) {
    CloudWatchLogsOptions configured = options();
    configured.retention_days = days;
    INFO(days);
    CHECK(refusal(configured) == "rejected");
  }
}
