#include "tests/catch.h"
#include "tests/unit/agent/cli/example_store.h"
#include "tests/unit/agent/config/config_text.h"

using namespace invlog::config;
using namespace invlog::tests;
using namespace std::chrono_literals;
using invlog::exporters::Checksum;
using invlog::exporters::Compression;
using invlog::exporters::S3Options;

namespace {

const std::string kTable = kRegion + "[exporters.s3]\nbucket = \"records-eu\"\n";

S3Options options_of(const std::string& lines) {
  const auto result = from_file(kTable + lines);
  REQUIRE(error_of(result) == "(no error)");
  REQUIRE(result->exporters.s3);
  return *result->exporters.s3;
}

std::string error_with(const std::string& lines) {
  return error_of(from_file(kTable + lines));
}

std::string error_of_bucket(const std::string& name) {
  return error_of(from_file(kRegion + "[exporters.s3]\nbucket = \"" + name + "\"\n"));
}

}  // namespace

TEST_CASE("the least configuration for compatible stores loads as the documentation has it") {
  const auto result = from_file(kRegion + R"([exporters.s3]
bucket = "records-eu"
endpoint = "http://127.0.0.1:9000"
path_style = true
region_attested = true
batch_age = "2s"
[exporters.cloudwatch_logs]
log_group = "/invlog/records"
endpoint = "http://127.0.0.1:5000"
region_attested = true
batch_age = "2s"
)");
  REQUIRE(error_of(result) == "(no error)");
  REQUIRE(result->exporters.s3);
  CHECK(result->exporters.s3->region == "eu-central-1");
  CHECK(result->exporters.s3->bucket == "records-eu");
  CHECK(result->exporters.s3->endpoint == "http://127.0.0.1:9000");
  CHECK(result->exporters.s3->path_style);
  CHECK(result->exporters.s3->region_attested);
  CHECK(result->exporters.s3->batch_age == 2s);
  CHECK(result->exporters.s3->batch_bytes == 5'000'000);
  REQUIRE(result->exporters.cloudwatch_logs);
  CHECK(result->exporters.cloudwatch_logs->region == "eu-central-1");
  CHECK(result->exporters.cloudwatch_logs->log_group == "/invlog/records");
  CHECK(result->exporters.cloudwatch_logs->log_stream == "aws/bedrock/modelinvocations");
  CHECK(result->exporters.cloudwatch_logs->endpoint == "http://127.0.0.1:5000");
  CHECK(result->exporters.cloudwatch_logs->batch_age == 2s);
}

TEST_CASE("exporters are there only if their tables are") {
  CHECK(!from_file(kRegion)->exporters.s3);
  CHECK(!from_file(kRegion + "[exporters]\n")->exporters.cloudwatch_logs);
  const auto result = from_file(kTable);
  CHECK(result->exporters.s3);
  CHECK(!result->exporters.cloudwatch_logs);
  const auto dotted = from_file("exporters.s3.bucket = \"records-eu\"\n" + kRegion);
  REQUIRE(error_of(dotted) == "(no error)");
  CHECK(dotted->exporters.s3->bucket == "records-eu");
}

TEST_CASE("every key of [exporters.s3] arrives") {
  const S3Options options = options_of(R"(prefix = "/logs/bedrock/"
endpoint = "https://s3-fips.eu-central-1.amazonaws.com"
path_style = true
region_attested = true
batch_size = "16MiB"
batch_age = "5m"
compression = "zstd"
large_bodies = false
large_body_size = "200KiB"
checksum = "crc32c"
encryption = "aws:kms"
kms_key_id = "arn:aws:kms:eu-central-1:123456789012:key/0123"
bucket_key = true
expected_bucket_owner = "210987654321"
storage_class = "STANDARD_IA"
tags = ["team=platform", "equation=a=b"]
if_none_match = true
start = "now"
)");
  CHECK(options.prefix == "logs/bedrock");
  CHECK(options.endpoint == "https://s3-fips.eu-central-1.amazonaws.com");
  CHECK(options.path_style);
  CHECK(options.region_attested);
  CHECK(options.batch_bytes == 16u << 20);
  CHECK(options.batch_age == 5min);
  CHECK(options.compression == Compression::zstd);
  CHECK(!options.large_bodies);
  CHECK(options.large_body_bytes == 200u << 10);
  CHECK(options.checksum == Checksum::crc32c);
  CHECK(options.encryption == "aws:kms");
  CHECK(options.kms_key_id == "arn:aws:kms:eu-central-1:123456789012:key/0123");
  CHECK(options.bucket_key);
  CHECK(options.expected_bucket_owner == "210987654321");
  CHECK(options.storage_class == "STANDARD_IA");
  CHECK(options.tags ==
        std::map<std::string, std::string>{{"team", "platform"}, {"equation", "a=b"}});
  CHECK(options.if_none_match);
  CHECK(options.from_now);
  CHECK(options_of("tags = { team = \"x\", \"a=b\" = \"y\" }").tags ==
        std::map<std::string, std::string>{{"team", "x"}, {"a=b", "y"}});
}

TEST_CASE("a bucket is a general purpose bucket's own name") {
  CHECK(error_of(from_file(kRegion + "[exporters.s3]\n")) ==
        "c.toml:3:1: [exporters.s3]: bucket: it is missing: name the bucket that the records go "
        "to");
  CHECK(contains(error_of_bucket("arn:aws:s3:::records-eu"), "c.toml:4:10: bucket: "));
  CHECK(contains(error_of_bucket("arn:aws:s3:::records-eu"), "is an ARN"));
  CHECK(
      contains(error_of_bucket("arn:aws:s3:eu-central-1:123456789012:accesspoint/x"), "is an ARN"));
  CHECK(contains(error_of_bucket("mfzwi23gnjvgw.mrap"), "alias"));
  CHECK(contains(error_of_bucket("my-point-abcdef-s3alias"), "alias"));
  CHECK(contains(error_of_bucket("records--euc1-az1--x-s3"), "special kind"));
  for (const char* name : {"", "ab", "Records", "records_eu", "-records", "records-", "a..b",
                           "192.168.1.1", "records/eu", "s3://records"}) {
    INFO(name);
    CHECK(contains(error_of_bucket(name), "is no bucket's name"));
  }
  CHECK(contains(error_of_bucket(std::string(64, 'a')), "is no bucket's name"));
  CHECK(error_of_bucket("a.b-c.3") == "(no error)");
}

TEST_CASE("a custom endpoint needs somebody who vouches for its Region") {
  CHECK(error_with("endpoint = \"http://127.0.0.1:9000\"\n") ==
        "c.toml:5:12: endpoint: custom endpoints need region_attested = true: nobody can prove "
        "that 127.0.0.1 is in eu-central-1, so somebody who knows must say so");
  CHECK(contains(error_with("endpoint = \"http://127.0.0.1:9000\"\nregion_attested = false\n"),
                 "region_attested = true"));
  CHECK(!options_of("").region_attested);
  CHECK(options_of("endpoint = \"https://s3.eu-central-1.amazonaws.com\"\n").region_attested);
}

TEST_CASE("an endpoint of another Region is refused, whoever vouches for it") {
  const auto error_at = [](const std::string& host) {
    return error_with("region_attested = true\nendpoint = \"https://" + host + "\"\n");
  };
  for (const char* host :
       {"s3.us-east-1.amazonaws.com", "s3-us-east-1.amazonaws.com",
        "s3.dualstack.us-east-1.amazonaws.com", "S3.US-EAST-1.AMAZONAWS.COM",
        "bucket.vpce-1a2b-eu-central-1a.s3.us-east-1.vpce.amazonaws.com", "s3.us-east-1.api.aws"}) {
    INFO(host);
    CHECK(contains(error_at(host), "is an endpoint of us-east-1, but region is \"eu-central-1\""));
  }
  CHECK(contains(error_at("s3.cn-north-1.amazonaws.com.cn"), "of cn-north-1"));
  CHECK(contains(error_at("s3.amazonaws.com"), "names no Region"));
  CHECK(contains(error_at("s3.eu-central-1.amazonaws.com.cn"), "may lead to another Region"));
  CHECK(contains(error_at("x.s3-accesspoint.eu-central-1.amazonaws.com"),
                 "may lead to another Region"));
  // As a compatible store writes its own.
  CHECK(contains(error_at("s3.us-east-1.example.com"), "is an endpoint of us-east-1"));
  CHECK(error_at("bucket.vpce-1a2b-eu-central-1a.s3.eu-central-1.vpce.amazonaws.com") ==
        "(no error)");
  // Its own name says nothing, whatever it looks like.
  CHECK(error_at("minio-node-1.example.com") == "(no error)");
  CHECK(error_at("us-east-1.example.com") == "(no error)");
}

TEST_CASE("AWS's own endpoints of the Region vouch for themselves, in every partition") {
  const std::pair<const char*, const char*> endpoints[] = {
      {"eusc-de-east-1", "s3.dualstack.eusc-de-east-1.api.amazonwebservices.eu"},
      {"eusc-de-east-1", "s3.eusc-de-east-1.amazonaws.eu"},
      {"us-gov-west-1", "s3-fips-us-gov-west-1.amazonaws.com"},
      {"us-gov-west-1", "s3-us-gov-west-1.amazonaws.com"},
      {"us-iso-east-1", "s3.us-iso-east-1.c2s.ic.gov"},
      {"cn-north-1", "s3.dualstack.cn-north-1.amazonaws.com.cn"}};
  for (const auto& [region, host] : endpoints) {
    INFO(host);
    const auto result = from_file(
        "[agent]\nregion = \"" + std::string(region) +
        "\"\n[exporters.s3]\nbucket = \"records\"\nendpoint = \"https://" + host + "\"\n");
    CHECK(error_of(result) == "(no error)");
    CHECK(contains(
        error_with("region_attested = true\nendpoint = \"https://" + std::string(host) + "\"\n"),
        "is an endpoint of " + std::string(region)));
  }
}

TEST_CASE("what does not go together is said where it stands") {
  CHECK(contains(error_with("kms_key_id = \"alias/x\"\n"),
                 "c.toml:5:14: kms_key_id: it is not used without encryption: set encryption = "
                 "\"aws:kms\""));
  CHECK(contains(error_with("encryption = \"AES256\"\nkms_key_id = \"alias/x\"\n"),
                 "c.toml:6:14: kms_key_id: it is not used with \"AES256\""));
  CHECK(contains(error_with("encryption = \"aws:kms\"\nkms_key_id = "
                            "\"arn:aws:kms:us-east-1:123456789012:key/1\"\n"),
                 "is a key of us-east-1, but region is \"eu-central-1\""));
  CHECK(contains(error_with("encryption = \"aws:kms\"\nkms_key_id = \"arn:aws:s3:::x\"\n"),
                 "is no ARN of a KMS key"));
  CHECK(contains(error_with("encryption = \"AES256\"\nbucket_key = true\n"),
                 "c.toml:6:14: bucket_key: "));
  CHECK(error_with("path_style = true\n") == "(no error)");
}

TEST_CASE("values of [exporters.s3] are checked") {
  CHECK(contains(error_with("bukket = \"x\"\n"),
                 "c.toml:5:1: unknown key \"bukket\" in [exporters.s3]; did you mean \"bucket\"?"));
  CHECK(contains(error_with("path_style = \"true\"\n"),
                 "c.toml:5:14: path_style: must be true or false, without quotes"));
  CHECK(contains(error_with("compression = \"brotli\"\n"), "\"gzip\", \"zstd\", \"none\""));
  CHECK(contains(error_with("checksum = \"md5\"\n"), "\"sha256\", \"crc32\", \"crc32c\""));
  CHECK(contains(error_with("encryption = \"aws\"\n"), "\"aws:kms:dsse\""));
  CHECK(contains(error_with("storage_class = \"standard\"\n"), "\"STANDARD\""));
  CHECK(contains(error_with("start = \"newest\"\n"), "\"oldest\", \"now\""));
  CHECK(contains(error_with("batch_size = \"6GB\"\n"), "not within 1KiB and 1GiB"));
  CHECK(contains(error_with("batch_age = \"2\"\n"), "has no unit"));
  CHECK(contains(error_with("expected_bucket_owner = \"1\"\n"), "12 digits"));
  CHECK(contains(error_with("prefix = \"a//b\"\n"), "is no prefix"));
  CHECK(contains(error_with("prefix = \"a/../b\"\n"), "is no prefix"));
  CHECK(contains(error_with("prefix = \"a\\nb\"\n"), "is no prefix"));
  CHECK(contains(error_with("endpoint = \"https://user:hush@x\"\n"), "user name or password"));
  CHECK(!contains(error_with("endpoint = \"https://user:hush@x\"\n"), "hush"));
}

TEST_CASE("tags are at most ten pairs") {
  CHECK(contains(error_with("tags = \"a=b\"\n"), "c.toml:5:8: tags: must be an array of"));
  CHECK(contains(error_with("tags = [\"ab\"]\n"), "\"ab\" has no \"=\""));
  CHECK(contains(error_with("tags = [1]\n"), "must be a string in quotes"));
  CHECK(contains(error_with("tags = { a = 1 }\n"), "the value of \"a\" must be a string"));
  CHECK(contains(error_with("tags = [\"=b\"]\n"), "is no tag"));
  CHECK(contains(error_with("tags = [\"aws:x=b\"]\n"), "which AWS keeps for itself"));
  CHECK(contains(error_with("tags = [\"a=1\", \"a=2\"]\n"), "\"a\" stands there twice"));
  std::string many;
  for (char letter = 'a'; letter <= 'k'; ++letter) {
    many += std::string(many.empty() ? "" : ", ") + "\"" + letter + "=1\"";
  }
  CHECK(contains(error_with("tags = [" + many + "]\n"), "there are 11 tags"));
}
