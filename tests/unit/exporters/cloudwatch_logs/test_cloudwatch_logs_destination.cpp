#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/unit/exporters/cloudwatch_logs/destination_fixture.h"

using namespace invlog::exporters;
using namespace invlog::test;
using invlog::aws::FailureKind;
using Names = std::vector<std::string>;

TEST_CASE("proving makes the group and the stream, with retention and key") {
  DestinationFixture fixture;
  fixture.options.retention_days = 90;
  fixture.options.kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/1";
  CHECK(fixture.destination().prove(fixture.origin));
  CHECK(fixture.service.operations() == Names{"DescribeLogGroups", "CreateLogStream",
                                              "CreateLogGroup", "CreateLogStream",
                                              "PutRetentionPolicy", "DescribeLogGroups"});
  CHECK(fixture.service.has_stream(kGroup, kStream));
  CHECK(fixture.service.retention[kGroup] == 90);
  CHECK(fixture.service.keys[kGroup] == fixture.options.kms_key_arn);
  CHECK(fixture.service.calls[0].url == "https://logs.eu-central-1.amazonaws.com/");
  CHECK(fixture.service.calls[0].body == R"({"logGroupNamePrefix":"/invlog/records","limit":1})");
}

TEST_CASE("a group that is there keeps its retention") {
  DestinationFixture fixture;
  fixture.options.retention_days = 90;
  fixture.service.make_stream(kGroup, "another");
  CHECK(fixture.destination().prove(fixture.origin));
  CHECK(fixture.service.operations() == Names{"DescribeLogGroups", "CreateLogStream"});
  CHECK(fixture.service.retention.empty());
}

TEST_CASE("a group that somebody else makes at the same moment is taken as it is") {
  DestinationFixture fixture;
  fixture.options.retention_days = 90;
  fixture.service.make_stream(kGroup, "another");
  fixture.service.answer_next("CreateLogStream",
                              FakeLogsService::error("ResourceNotFoundException"));
  CHECK(fixture.destination().prove(fixture.origin));
  CHECK(fixture.service.operations() ==
        Names{"DescribeLogGroups", "CreateLogStream", "CreateLogGroup", "CreateLogStream"});
  CHECK(fixture.service.retention.empty());
}

TEST_CASE("a retention that could not be set is set at the next proof") {
  DestinationFixture fixture;
  fixture.options.retention_days = 30;
  fixture.service.answer_next("PutRetentionPolicy",
                              FakeLogsService::error("AccessDeniedException", "no"));
  const auto denied = fixture.destination().prove(fixture.origin);
  REQUIRE(!denied);
  CHECK(denied.error().kind == FailureKind::denied);
  CHECK(denied.error().message.find("allow logs:PutRetentionPolicy on log group /invlog/records") !=
        std::string::npos);
  CHECK(fixture.destination().prove(fixture.origin));
  CHECK(fixture.service.retention[kGroup] == 30);
}

TEST_CASE(
    "an empty group that somebody else made is delivered to without a right to its retention") {
  DestinationFixture fixture;
  fixture.service.stored_bytes = 0;
  REQUIRE(fixture.destination().prove(fixture.origin));  // makes it, and no retention is wanted
  fixture.restart();
  fixture.options.retention_days = 30;
  fixture.service.answer_next("PutRetentionPolicy",
                              FakeLogsService::error("AccessDeniedException", "no"));
  CHECK(fixture.destination().prove(fixture.origin));
  CHECK(fixture.service.retention.empty());
}

TEST_CASE("a retention that could not be set is set after a restart, while the group is empty") {
  DestinationFixture fixture;
  fixture.options.retention_days = 30;
  fixture.service.answer_next("PutRetentionPolicy",
                              FakeLogsService::error("AccessDeniedException", "no"));
  CHECK(!fixture.destination().prove(fixture.origin));
  fixture.restart();
  fixture.service.stored_bytes = 0;
  CHECK(fixture.destination().prove(fixture.origin));
  CHECK(fixture.service.retention[kGroup] == 30);
  fixture.restart();
  fixture.service.calls.clear();
  CHECK(fixture.destination().prove(fixture.origin));
  CHECK(fixture.service.operations() == Names{"DescribeLogGroups", "CreateLogStream"});
}

TEST_CASE("the account's cap of log groups is no throttling") {
  DestinationFixture fixture;
  fixture.service.answer_next("CreateLogGroup", FakeLogsService::error("LimitExceededException"));
  const auto result = fixture.destination().prove(fixture.origin);
  REQUIRE(!result);
  CHECK(result.error().kind == FailureKind::rejected);
}

TEST_CASE("a group that another call changes just now passes by itself") {
  DestinationFixture fixture;
  fixture.service.answer_next("CreateLogGroup",
                              FakeLogsService::error("OperationAbortedException"));
  const auto result = fixture.destination().prove(fixture.origin);
  REQUIRE(!result);
  CHECK(result.error().kind == FailureKind::transient);
}

TEST_CASE("what is not to be created is not, and its absence is said clearly") {
  DestinationFixture fixture;
  fixture.options.create = false;
  CHECK(fixture.destination().prove(fixture.origin));
  const SendResult sent = fixture.send_one(1);
  REQUIRE(!sent);
  CHECK(sent.error().kind == FailureKind::not_found);
  CHECK(sent.error().message.find("create both, or set exporters.cloudwatch_logs.create = true") !=
        std::string::npos);
  CHECK(fixture.service.operations() == Names{"DescribeLogGroups", "PutLogEvents"});
}

TEST_CASE("the Region is proven before anything is created") {
  struct Case {
    const char* endpoint;
    const char* shown_region;
    const char* account;
    bool proven;
  };
  for (const Case& each : {
           Case{"", "eu-central-1", "111122223333", true},
           Case{"", "us-east-1", "111122223333", false},
           Case{"", "eu-central-1", "999999999999", false},
           Case{"http://127.0.0.1:5000", "eu-central-1", "111122223333", true},
           Case{"http://127.0.0.1:5000", "us-east-1", "111122223333", false},
           Case{"http://logs.us-east-1.localhost", "eu-central-1", "111122223333", false},
       }) {
    DestinationFixture fixture;
    fixture.options.endpoint = each.endpoint;
    fixture.options.region_attested = true;
    fixture.service.region = each.shown_region;
    fixture.service.account = each.account;
    fixture.service.make_stream(kGroup, "another");
    INFO(each.endpoint << " " << each.shown_region << " " << each.account);
    const auto result = fixture.destination().prove(fixture.origin);
    CHECK(result.has_value() == each.proven);
    CHECK(fixture.service.has_stream(kGroup, kStream) == each.proven);
    if (!result) {
      CHECK(result.error().kind == FailureKind::redirected);
    }
  }
}

TEST_CASE("a group elsewhere is named with both Regions") {
  DestinationFixture fixture;
  fixture.service.region = "us-east-1";
  fixture.service.make_stream(kGroup, kStream);
  const auto result = fixture.destination().prove(fixture.origin);
  REQUIRE(!result);
  CHECK(result.error().message ==
        "log group /invlog/records is in us-east-1, the source Region is eu-central-1; nothing was "
        "sent");
}

TEST_CASE("an account that is not known yet is not compared") {
  DestinationFixture fixture;
  fixture.origin.store.account_id = "";
  fixture.service.make_stream(kGroup, kStream);
  CHECK(fixture.destination().prove(fixture.origin));
}

TEST_CASE("a store of another Region is not delivered") {
  DestinationFixture fixture;
  fixture.origin.store.region = "eu-west-1";
  const auto result = fixture.destination().prove(fixture.origin);
  REQUIRE(!result);
  CHECK(result.error().kind == FailureKind::redirected);
  CHECK(fixture.service.calls.empty());
}

TEST_CASE("without the permission to describe, the endpoint that passed is the proof") {
  for (const char* endpoint : {"", "http://127.0.0.1:5000"}) {
    DestinationFixture fixture;
    fixture.options.endpoint = endpoint;
    fixture.options.region_attested = true;
    for (int time = 0; time < 2; ++time) {
      fixture.service.answer_next("DescribeLogGroups",
                                  FakeLogsService::error("AccessDeniedException"));
    }
    CHECK(fixture.destination().prove(fixture.origin));
    CHECK(fixture.send_one(1));
  }
}

TEST_CASE("where the stream is there, none may be made without a loss") {
  DestinationFixture fixture;
  fixture.service.make_stream(kGroup, kStream);
  fixture.service.answer_next("CreateLogStream", FakeLogsService::error("AccessDeniedException"));
  CHECK(fixture.destination().prove(fixture.origin));
  CHECK(fixture.send_one(1));
  CHECK(fixture.service.events(kGroup, kStream).size() == 1);
}

TEST_CASE("a stream that is missing and may not be made is said when an event is to go there") {
  DestinationFixture fixture;
  fixture.service.make_stream(kGroup, "another");
  for (int time = 0; time < 2; ++time) {
    fixture.service.answer_next("CreateLogStream", FakeLogsService::error("AccessDeniedException"));
  }
  CHECK(fixture.destination().prove(fixture.origin));
  const SendResult sent = fixture.send_one(1);
  REQUIRE(!sent);
  CHECK(sent.error().kind == FailureKind::denied);
  CHECK(sent.error().message.find("allow logs:CreateLogStream") != std::string::npos);
  CHECK(fixture.send_one(2));
}

TEST_CASE("a redirect is refused and not followed") {
  DestinationFixture fixture;
  fixture.service.answer_next(
      "DescribeLogGroups",
      invlog::aws::HttpResponse{307, {{"location", "https://logs.us-east-1.amazonaws.com/"}}, ""});
  const auto result = fixture.destination().prove(fixture.origin);
  REQUIRE(!result);
  CHECK(result.error().kind == FailureKind::redirected);
  CHECK(fixture.service.calls.size() == 1);
  CHECK(result.error().message.find("no redirect is followed") != std::string::npos);
}

TEST_CASE("what DescribeLogGroups answers may be anything") {
  for (const char* body :
       {"", "null", "[]", "<html>", "{", R"({"logGroups":{}})", R"({"logGroups":null})"}) {
    DestinationFixture fixture;
    fixture.service.answer_next("DescribeLogGroups", invlog::aws::HttpResponse{200, {}, body});
    INFO(body);
    const auto result = fixture.destination().prove(fixture.origin);
    REQUIRE(!result);
    CHECK(result.error().kind == FailureKind::transient);
  }
  for (const char* body :
       {R"({"logGroups":[]})", R"({"logGroups":[1]})", R"({"logGroups":[{}]})",
        R"({"logGroups":[{"arn":7}]})", R"({"logGroups":[{"arn":"arn:aws:logs"}]})",
        R"({"logGroups":[{"arn":"arn:aws:s3:us-east-1:1:x"}]})", R"({"logGroups":[[[]]]})"}) {
    DestinationFixture fixture;
    fixture.service.answer_next("DescribeLogGroups", invlog::aws::HttpResponse{200, {}, body});
    INFO(body);
    CHECK(fixture.destination().prove(fixture.origin));
  }
}

TEST_CASE("a chain's head goes to its own stream once") {
  DestinationFixture fixture;
  fixture.origin.chain_head = std::string(64, 'c');
  fixture.origin.chain_segment = 3;
  REQUIRE(fixture.destination().prove(fixture.origin));
  const auto sent = fixture.send_one(1);
  REQUIRE(sent);
  REQUIRE(sent->head);
  CHECK(sent->head->target == fixture.destination().target());
  CHECK(sent->head->folder.empty());
  CHECK(sent->head->segment == 3);
  REQUIRE(fixture.send_one(2));
  const auto& heads = fixture.service.events(kGroup, kIntegrity);
  REQUIRE(heads.size() == 1);
  CHECK(heads[0].timestamp_ms == fixture.service.now_ms);
  CHECK(heads[0].message ==
        R"({"schemaType":"InvlogChain","schemaVersion":"1.0","timestamp":"2026-09-21T14:13:20Z",)"
        R"("region":"eu-central-1","host":"host-7","instance":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",)"
        R"("segment":3,"chain":")" +
            std::string(64, 'c') + "\"}");
  fixture.origin.chain_segment = 4;
  REQUIRE(fixture.send_one(3));
  CHECK(heads.size() == 2);
  CHECK(fixture.service.events(kGroup, kStream).size() == 3);
}

TEST_CASE("a chain's head that fails never fails the batch, and is sent with the next") {
  DestinationFixture fixture;
  REQUIRE(fixture.destination().prove(fixture.origin));
  fixture.origin.chain_head = std::string(64, 'c');
  fixture.origin.chain_segment = 3;
  for (int attempt = 0; attempt < 2; ++attempt) {
    fixture.service.answer_next("CreateLogStream", FakeLogsService::error("AccessDeniedException"));
    const auto sent = fixture.send_one(1);
    REQUIRE(sent);
    CHECK(!sent->head);
    CHECK(fixture.service.events(kGroup, kIntegrity).empty());
    fixture.service.remove_group(kGroup);
    fixture.service.make_stream(kGroup, kStream);
  }
  CHECK(fixture.send_one(1));
  CHECK(fixture.service.events(kGroup, kIntegrity).size() == 1);
}

TEST_CASE("the heads of this store's chain are read back, past other stores' and other lines") {
  DestinationFixture fixture;
  REQUIRE(fixture.destination().prove(fixture.origin));
  const auto nothing = fixture.destination().kept_heads(fixture.origin, 0, {});
  REQUIRE(nothing);
  CHECK(nothing->empty());
  fixture.origin.chain_head = std::string(64, 'c');
  fixture.origin.chain_segment = 3;
  REQUIRE(fixture.send_one(1));
  fixture.origin.chain_head = std::string(64, 'd');
  fixture.origin.chain_segment = 4;
  REQUIRE(fixture.send_one(2));
  const std::string own = fixture.origin.instance;
  fixture.origin.instance = std::string(32, 'b');
  for (std::int64_t segment = 70; segment < 75; ++segment) {
    fixture.origin.chain_segment = segment;
    REQUIRE(fixture.send_one(segment));
  }
  fixture.origin.instance = own;
  const auto heads = fixture.destination().kept_heads(fixture.origin, 0, {});
  REQUIRE(heads);
  REQUIRE(heads->size() == 2);  // on another page than those of the other store
  CHECK((*heads)[0].segment == 4);
  CHECK((*heads)[0].chain == std::string(64, 'd'));
  CHECK((*heads)[0].place == std::string(kGroup) + " " + kIntegrity);
  CHECK((*heads)[1].segment == 3);
  CHECK((*heads)[1].chain == std::string(64, 'c'));
  fixture.service.answer_next("GetLogEvents", FakeLogsService::error("AccessDeniedException"));
  const auto denied = fixture.destination().kept_heads(fixture.origin, 0, {});
  REQUIRE(!denied);
  CHECK(denied.error().message.find("logs:GetLogEvents") != std::string::npos);
  for (const char* body : {"", "[]", "{}", R"({"events":{}})", R"({"events":[1,{}]})",
                           R"({"events":[{"message":"{\"schemaType\":\"InvlogChain\"}"}]})"}) {
    INFO(body);
    fixture.service.answer_next("GetLogEvents", invlog::aws::HttpResponse{200, {}, body});
    const auto answer = fixture.destination().kept_heads(fixture.origin, 0, {});
    CHECK((!answer || answer->empty()));
  }
}

TEST_CASE("a page of heads that fails for the time being is asked for again") {
  DestinationFixture fixture;
  int waits = 0;
  fixture.times.wait = [&waits](std::chrono::milliseconds) { return ++waits > 0; };
  fixture.times.random = [] { return 0.5; };
  REQUIRE(fixture.destination().prove(fixture.origin));
  fixture.origin.chain_head = std::string(64, 'c');
  fixture.origin.chain_segment = 3;
  REQUIRE(fixture.send_one(1));
  fixture.service.answer_next("GetLogEvents", FakeLogsService::error("ThrottlingException"));
  fixture.service.answer_next("GetLogEvents", invlog::aws::HttpResponse{503, {}, ""});
  const auto heads = fixture.destination().kept_heads(fixture.origin, 0, {});
  REQUIRE(heads);
  CHECK(heads->size() == 1);
  CHECK(waits == 2);
}

TEST_CASE("doctor tries each permission") {
  DestinationFixture fixture;
  fixture.options.retention_days = 30;
  const auto checks = fixture.destination().check(fixture.origin);
  std::vector<std::string> what;
  for (const Destination::Check& check : checks) {
    INFO(check.what << ": " << check.detail);
    CHECK(check.ok);
    what.push_back(check.what);
  }
  CHECK(what == Names{"logs:DescribeLogGroups on /invlog/records",
                      "logs:CreateLogGroup on /invlog/records",
                      "logs:CreateLogStream on /invlog/records aws/bedrock/modelinvocations",
                      "logs:PutRetentionPolicy on /invlog/records",
                      "logs:PutLogEvents on /invlog/records aws/bedrock/modelinvocations",
                      "logs:PutLogEvents on /invlog/records "
                      "aws/bedrock/modelinvocations/integrity"});
  const auto& events = fixture.service.events(kGroup, kStream);
  REQUIRE(events.size() == 1);
  CHECK(events[0].message == "Permissions are correctly set for invlog.");
  CHECK(fixture.service.events(kGroup, kIntegrity).size() == 1);
  CHECK(fixture.service.retention[kGroup] == 30);
}

TEST_CASE("doctor notices that chain heads would not arrive, which records do without") {
  DestinationFixture fixture;
  fixture.options.create = false;
  fixture.service.make_stream(kGroup, kStream);
  const auto checks = fixture.destination().check(fixture.origin);
  REQUIRE(checks.size() == 3);
  CHECK(checks[1].ok);
  CHECK(checks[1].for_records);
  CHECK(checks[2].what ==
        "logs:PutLogEvents on /invlog/records aws/bedrock/modelinvocations/integrity");
  CHECK(!checks[2].ok);
  CHECK(!checks[2].for_records);
  CHECK(checks[2].detail.find("stream aws/bedrock/modelinvocations/integrity does not exist") !=
        std::string::npos);
}

TEST_CASE("doctor says which permission is missing") {
  for (const char* operation : {"CreateLogGroup", "PutLogEvents"}) {
    DestinationFixture fixture;
    if (std::string(operation) != "CreateLogGroup") {
      fixture.service.make_stream(kGroup, kStream);
    }
    fixture.service.answer_next(
        operation, FakeLogsService::error("AccessDeniedException", "is not authorized"));
    bool seen = false;
    for (const Destination::Check& check : fixture.destination().check(fixture.origin)) {
      if (check.what.starts_with(std::string("logs:") + operation + " ")) {
        seen = true;
        CHECK(!check.ok);
        CHECK(check.detail.find("is not authorized") != std::string::npos);
      }
    }
    INFO(operation);
    CHECK(seen);
  }
}

TEST_CASE("doctor asks for no permission that delivery does without") {
  DestinationFixture fixture;
  fixture.options.endpoint = "http://127.0.0.1:5000";
  fixture.options.region_attested = true;
  fixture.service.make_stream(kGroup, kStream);
  fixture.service.make_stream(kGroup, kIntegrity);
  fixture.service.answer_next("DescribeLogGroups", FakeLogsService::error("AccessDeniedException"));
  fixture.service.answer_next("CreateLogStream",
                              FakeLogsService::error("AccessDeniedException", "is not authorized"));
  for (const Destination::Check& check : fixture.destination().check(fixture.origin)) {
    INFO(check.what << ": " << check.detail);
    CHECK(check.ok);
    CHECK((!check.what.starts_with("logs:CreateLogStream ") ||
           check.detail.find("is not authorized") != std::string::npos));
  }
}

TEST_CASE("doctor leaves the retention of an existing group alone") {
  DestinationFixture fixture;
  fixture.options.retention_days = 30;
  fixture.service.make_stream(kGroup, kStream);
  fixture.destination().check(fixture.origin);
  CHECK(fixture.service.retention.empty());
}

TEST_CASE("doctor writes nothing where the Region is not proven") {
  DestinationFixture elsewhere;
  elsewhere.service.region = "us-east-1";
  elsewhere.service.make_stream(kGroup, kStream);
  auto checks = elsewhere.destination().check(elsewhere.origin);
  REQUIRE(checks.size() == 1);
  CHECK(!checks[0].ok);
  CHECK(elsewhere.service.events(kGroup, kStream).empty());

  DestinationFixture unattested;
  unattested.options.endpoint = "http://127.0.0.1:5000";
  checks = unattested.destination().check(unattested.origin);
  REQUIRE(checks.size() == 1);
  CHECK(!checks[0].ok);
  CHECK(unattested.service.calls.empty());
}
