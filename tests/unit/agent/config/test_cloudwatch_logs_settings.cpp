#include "tests/catch.h"
#include "tests/unit/agent/cli/example_store.h"
#include "tests/unit/agent/config/config_text.h"

using namespace invlog::config;
using namespace invlog::tests;
using namespace std::chrono_literals;
using invlog::exporters::CloudWatchLogsOptions;

namespace {

const std::string kTable = kRegion + "[exporters.cloudwatch_logs]\nlog_group = \"/invlog\"\n";

CloudWatchLogsOptions options_of(const std::string& lines) {
  const auto result = from_file(kTable + lines);
  REQUIRE(error_of(result) == "(no error)");
  REQUIRE(result->exporters.cloudwatch_logs);
  return *result->exporters.cloudwatch_logs;
}

std::string error_with(const std::string& lines) {
  return error_of(from_file(kTable + lines));
}

std::string error_of_group(const std::string& name) {
  return error_of(
      from_file(kRegion + "[exporters.cloudwatch_logs]\nlog_group = \"" + name + "\"\n"));
}

}  // namespace

TEST_CASE("every key of [exporters.cloudwatch_logs] arrives") {
  const CloudWatchLogsOptions options = options_of(R"(log_stream = "records"
host_suffix = true
endpoint = "https://logs-fips.eu-central-1.amazonaws.com"
region_attested = true
batch_size = "512KiB"
batch_age = "10s"
create = true
retention_days = 3653
kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/0123"
start = "now"
)");
  CHECK(options.region == "eu-central-1");
  CHECK(options.log_group == "/invlog");
  CHECK(options.log_stream == "records");
  CHECK(options.host_suffix);
  CHECK(options.endpoint == "https://logs-fips.eu-central-1.amazonaws.com");
  CHECK(options.region_attested);
  CHECK(options.batch_bytes == 512u << 10);
  CHECK(options.batch_age == 10s);
  CHECK(options.create);
  CHECK(options.retention_days == 3653);
  CHECK(options.kms_key_arn == "arn:aws:kms:eu-central-1:123456789012:key/0123");
  CHECK(options.from_now);
  CHECK(!options_of("create = false\n").create);
  CHECK(options_of("").batch_age == 5s);
}

TEST_CASE("log groups and streams have names that the service takes") {
  CHECK(contains(error_of(from_file(kRegion + "[exporters.cloudwatch_logs]\n")),
                 "c.toml:3:1: [exporters.cloudwatch_logs]: log_group: it is missing"));
  CHECK(contains(error_of_group("aws/bedrock"), "c.toml:4:13: log_group: \"aws/bedrock\" begins"));
  CHECK(error_of_group("/aws/bedrock/modelinvocations") == "(no error)");
  CHECK(error_of_group(std::string(512, 'g')) == "(no error)");
  for (const std::string& name : {std::string(), std::string(513, 'g'), std::string("a b"),
                                  std::string("a:b"), std::string("gr\xc3\xbc\xc3\x9f")}) {
    INFO(name);
    CHECK(contains(error_of_group(name), "is no log group's name"));
  }
  CHECK(contains(error_with("log_stream = \"a:b\"\n"), "is no log stream's name"));
  CHECK(contains(error_with("log_stream = \"\"\n"), "is no log stream's name"));
  const auto stream_of = [](std::size_t size) {
    return error_with("log_stream = \"" + std::string(size, 's') + "\"\n");
  };
  CHECK(stream_of(502) == "(no error)");
  CHECK(contains(stream_of(503), "is no log stream's name: 1 to 502 bytes"));
}

TEST_CASE("values of [exporters.cloudwatch_logs] are checked") {
  CHECK(contains(error_with("retention_days = 10\n"),
                 "c.toml:5:18: retention_days: 10 is no number of days that CloudWatch Logs takes: "
                 "1, 3, 5, 7, 14, "));
  CHECK(contains(error_with("retention_days = \"30\"\n"), "must be a whole number without quotes"));
  CHECK(contains(error_with("retention_days = 99999999999999\n"), "is no number of days"));
  CHECK(contains(error_with("batch_size = \"1048577\"\n"), "not within 1KiB and 1MiB"));
  CHECK(contains(error_with("create = 1\n"), "must be true or false"));
  CHECK(contains(error_with("kms_key_arn = \"alias/x\"\n"), "is no ARN of a KMS key"));
  CHECK(contains(error_with("kms_key_arn = \"arn:aws:kms:eu-west-1:123456789012:key/1\"\n"),
                 "is a key of eu-west-1"));
  CHECK(contains(error_with("create = false\nretention_days = 30\n"),
                 "c.toml:6:18: retention_days: it is for a log group that invlog creates"));
  CHECK(contains(
      error_with("create = false\nkms_key_arn = \"arn:aws:kms:eu-central-1:123456789012:key/1\"\n"),
      "c.toml:6:15: kms_key_arn: it is for a log group that invlog creates"));
  CHECK(contains(error_with("endpoint = \"http://127.0.0.1:5000\"\n"), "region_attested = true"));
  CHECK(contains(error_with("endpoint = \"https://logs.us-east-1.amazonaws.com\"\n"
                            "region_attested = true\n"),
                 "is an endpoint of us-east-1"));
  CHECK(error_of(
            from_file("[agent]\nregion = \"eusc-de-east-1\"\n[exporters.cloudwatch_logs]\n"
                      "log_group = \"/invlog\"\n"
                      "endpoint = \"https://logs.eusc-de-east-1.api.amazonwebservices.eu\"\n")) ==
        "(no error)");
  CHECK(contains(error_with("log_grup = \"x\"\n"), "did you mean \"log_group\"?"));
}

TEST_CASE("[aws] and [retention] arrive and are checked") {
  const auto result = from_file(kRegion + R"([aws]
profile = "invlog"
sts_endpoint = "http://127.0.0.1:5000/"
bedrock_endpoint = "http://127.0.0.1:5001/"
[retention]
max_size = "2TiB"
max_age = "7d"
keep_undelivered = false
)");
  REQUIRE(error_of(result) == "(no error)");
  CHECK(result->aws.profile == "invlog");
  CHECK(result->aws.sts_endpoint == "http://127.0.0.1:5000");
  CHECK(result->aws.bedrock_endpoint == "http://127.0.0.1:5001");
  CHECK(result->retention.max_size_bytes == 2ull << 40);
  CHECK(result->retention.max_age == 7 * 24h);
  CHECK(!result->retention.keep_undelivered);
  CHECK(from_file(kRegion)->retention.keep_undelivered);
  const auto error = [](const std::string& lines) { return error_of(from_file(kRegion + lines)); };
  CHECK(contains(error("[aws]\nsts_endpoint = \"https://sts.us-east-1.amazonaws.com\"\n"),
                 "c.toml:4:16: sts_endpoint: "));
  CHECK(contains(error("[aws]\nbedrock_endpoint = \"https://bedrock.us-east-1.amazonaws.com\"\n"),
                 "c.toml:4:20: bedrock_endpoint: "));
  CHECK(
      contains(error("[aws]\nsts_endpoint = \"https://sts.amazonaws.com\"\n"), "names no Region"));
  CHECK(contains(error("[aws]\nca_bundle = \"/nonexistent.pem\"\n"), "cannot read"));
  CHECK(contains(error("[retention]\nmax_size = 1000\n"), "not within 16MiB"));
  CHECK(contains(error("[retention]\nmax_age = \"7\"\n"), "has no unit"));
  CHECK(contains(error("[retention]\nmax_age = \"10ms\"\n"), "not within 1s and 36500d"));
}
