#include "exporters/s3/s3_destination.h"

#include "tests/catch.h"
#include "tests/contains.h"
#include "tests/unit/exporters/s3/s3_fixture.h"

using namespace invlog;
using namespace invlog::exporters;
using aws::FailureKind;
using invlog::tests::contains;

namespace {

FakeS3::Fault deny_put(const std::string& message) {
  return [message](const FakeS3::Call& call) {
    if (call.method != "PUT") {
      return std::optional<aws::HttpResult>();
    }
    aws::HttpResponse response;
    response.status = 403;
    response.body = "<Error><Code>AccessDenied</Code><Message>" + message + "</Message></Error>";
    return std::optional<aws::HttpResult>(response);
  };
}

S3Options custom_options() {
  S3Options options = test_options();
  options.endpoint = "http://127.0.0.1:9000";
  options.path_style = true;
  options.region_attested = true;
  return options;
}

}  // namespace

TEST_CASE("The S3 destination has a name, and a target that the prefix is no part of") {
  S3Options options = test_options();
  options.prefix = "team";
  CHECK(S3Fixture(options).destination->name() == "s3");
  CHECK(S3Fixture(options).destination->target() == "s3://records-eu");
  CHECK(S3Fixture(custom_options()).destination->target() ==
        "s3://records-eu at http://127.0.0.1:9000");
}

TEST_CASE("Proving asks for the bucket's Region and writes nothing") {
  S3Fixture fixture;
  CHECK(fixture.destination->prove(fixture.origin));
  CHECK(fixture.s3.calls.size() == 1);
  CHECK(fixture.s3.count("HEAD") == 1);
  fixture.s3.region = "us-east-1";
  const auto elsewhere = fixture.destination->prove(fixture.origin);
  REQUIRE_FALSE(elsewhere);
  CHECK(elsewhere.error().kind == FailureKind::redirected);
}

TEST_CASE("AWS needs the account's id, another store has a folder for the unknown one") {
  S3Fixture fixture;
  fixture.origin.store.account_id.clear();
  const auto unknown = fixture.destination->prove(fixture.origin);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().kind == FailureKind::credentials);
  CHECK(contains(unknown.error().message, "set account_id"));
  CHECK(contains(unknown.error().message, "GetCallerIdentity"));
  CHECK(fixture.s3.calls.empty());

  S3Fixture custom(custom_options());
  custom.s3.host = "127.0.0.1:9000";
  custom.s3.path_style = true;
  custom.origin.store.account_id.clear();
  CHECK(custom.destination->prove(custom.origin));
  REQUIRE(custom.batch({test_record(1)})->send());
  CHECK(contains(custom.s3.keys()[0],
                 "AWSLogs/unknown/BedrockModelInvocationLogs/eu-central-1/2026/09/21/14/"));
  CHECK_FALSE(contains(decompressed(".gz", custom.s3.objects.begin()->second.bytes), "accountId"));
}

TEST_CASE("doctor writes the marker and names each permission that delivery needs") {
  S3Options options = test_options();
  options.prefix = "team";
  options.encryption = "aws:kms";
  options.kms_key_id = "alias/records";
  options.tags = {{"a", "b"}};
  options.if_none_match = true;
  S3Fixture fixture(options);
  for (int run = 0; run < 2; ++run) {  // the marker of last time is there already
    const auto checks = fixture.destination->check(fixture.origin);
    REQUIRE(checks.size() == 5);
    CHECK(checks[0].what == "Region of bucket records-eu");
    CHECK(checks[0].detail == "eu-central-1");
    CHECK(checks[1].what ==
          "s3:PutObject on arn:aws:s3:::records-eu/team/AWSLogs/111122223333/"
          "BedrockModelInvocationLogs/*");
    CHECK(contains(checks[2].what, "s3:PutObjectTagging"));
    CHECK(checks[3].what == "kms:GenerateDataKey on alias/records");
    CHECK(contains(checks[4].what, "s3:GetObject"));
    for (const auto& check : checks) {
      CAPTURE(check.what, check.detail);
      CHECK(check.ok);
    }
  }
  const std::string marker =
      "team/AWSLogs/111122223333/BedrockModelInvocationLogs/invlog-permission-check";
  CHECK(fixture.s3.keys() == std::vector<std::string>{marker});
  CHECK(fixture.s3.objects[marker].bytes.empty());
}

TEST_CASE("doctor blames the permission that is missing, and only that one") {
  S3Options options = test_options();
  options.encryption = "aws:kms";
  options.tags = {{"a", "b"}};
  struct Row {
    const char* answer;
    std::size_t blamed;
  };
  for (const Row& row :
       {Row{"User: x is not authorized to perform: s3:PutObject on resource: y", 1},
        Row{"User: x is not authorized to perform: s3:PutObjectTagging on resource: y", 2},
        Row{"User: x is not authorized to perform: kms:GenerateDataKey on resource: y", 3},
        Row{"Access Denied", 1}}) {
    S3Fixture fixture(options);
    fixture.s3.before = deny_put(row.answer);
    const auto checks = fixture.destination->check(fixture.origin);
    REQUIRE(checks.size() == 4);
    CHECK(checks[0].ok);
    for (std::size_t i = 1; i < checks.size(); ++i) {
      CAPTURE(row.answer, checks[i].what, checks[i].detail);
      CHECK_FALSE(checks[i].ok);
      CHECK(contains(checks[i].detail, "allow ") == (i == row.blamed));
      CHECK(contains(checks[i].detail, "not known") == (i != row.blamed));
    }
  }
}

TEST_CASE("doctor sends nothing to a bucket that is not proven") {
  S3Fixture fixture;
  fixture.s3.region = "us-east-1";
  const auto checks = fixture.destination->check(fixture.origin);
  REQUIRE(checks.size() == 2);
  CHECK_FALSE(checks[0].ok);
  CHECK(contains(checks[0].detail, "is in us-east-1"));
  CHECK_FALSE(checks[1].ok);
  CHECK(fixture.s3.count("PUT") == 0);
}

TEST_CASE("A bucket that moved while the agent runs is noticed at the next answer") {
  S3Fixture fixture;
  REQUIRE(fixture.destination->prove(fixture.origin));
  const auto batch = fixture.batch({test_record(1)});
  fixture.s3.before = [](const FakeS3::Call&) {
    aws::HttpResponse response;
    response.status = 400;
    response.body =
        "<Error><Code>AuthorizationHeaderMalformed</Code><Region>us-east-1</Region></Error>";
    return std::optional<aws::HttpResult>(response);
  };
  const auto failed = batch->send();
  REQUIRE_FALSE(failed);
  CHECK(failed.error().kind == FailureKind::redirected);
  CHECK(failed.error().region == "us-east-1");
}
