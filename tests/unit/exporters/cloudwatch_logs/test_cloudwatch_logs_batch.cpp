#include <simdjson.h>

#include <limits>
#include <string>
#include <vector>

#include "exporters/cloudwatch_logs/cloudwatch_logs_batch.h"
#include "tests/catch.h"
#include "tests/unit/exporters/cloudwatch_logs/destination_fixture.h"

using namespace invlog::exporters;
using namespace invlog::test;
using invlog::aws::FailureKind;
using invlog::aws::HttpResponse;
using Names = std::vector<std::string>;

namespace {

constexpr std::int64_t kHour = 3'600'000;
constexpr std::int64_t kDay = 24 * kHour;

std::vector<std::int64_t> ids(const std::vector<Refused>& refused) {
  std::vector<std::int64_t> ids;
  for (const Refused& each : refused) {
    ids.push_back(each.record);
  }
  return ids;
}

// Records 1 to `count`, one millisecond apart.
std::vector<LogEventBatch::Event> events(int count) {
  std::vector<LogEventBatch::Event> events;
  for (int record = 1; record <= count; ++record) {
    events.push_back({record, 1'790'000'000'000 + record, 0, 0});
  }
  return events;
}

DestinationFixture& prepared(DestinationFixture& fixture) {
  fixture.service.make_stream(kGroup, kStream);
  return fixture;
}

}  // namespace

TEST_CASE("a batch arrives as lines, sorted, gzipped") {
  DestinationFixture fixture;
  const auto batch = prepared(fixture).batch();
  CHECK(batch->add(fixture.record(1, 20)) == Batch::Added::taken);
  CHECK(batch->add(fixture.record(2, 10)) == Batch::Added::taken);
  CHECK(batch->records() == 2);
  CHECK(batch->plan().empty());
  const SendResult sent = batch->send();
  REQUIRE(sent);
  const auto& taken = fixture.service.events(kGroup, kStream);
  REQUIRE(taken.size() == 2);
  CHECK(taken[0].message ==
        invlog::storage::record_json(fixture.origin.store, fixture.record(2, 10)));
  CHECK(taken[1].timestamp_ms == fixture.service.now_ms + 20);
  CHECK(sent->refused.empty());
  CHECK(sent->line_bytes == taken[0].message.size() + taken[1].message.size());
  REQUIRE(fixture.service.calls.size() == 1);
  CHECK(fixture.service.calls[0].gzip);
  CHECK(sent->bytes == fixture.service.calls[0].wire_bytes);
  CHECK(sent->bytes < sent->line_bytes);
  CHECK(sent->places == Names{"/invlog/records aws/bedrock/modelinvocations"});
}

TEST_CASE("records fill batches up to the service's limits, and all arrive") {
  DestinationFixture fixture;
  prepared(fixture);
  std::int64_t id = 1;
  int batches = 0;
  while (id <= 200) {
    const auto batch = fixture.batch();
    const std::string body = "{\"text\":\"" + std::string(20'000, 'x') + "\"}";
    while (id <= 200 &&
           batch->add(fixture.record(id, (id * 7919) % 1000, body)) == Batch::Added::taken) {
      ++id;
    }
    CHECK((id > 200 || batch->full()));
    REQUIRE(batch->send());
    ++batches;
  }
  CHECK(batches == 4);
  CHECK(fixture.service.events(kGroup, kStream).size() == 200);
}

TEST_CASE("records more than 24 hours apart go in two batches") {
  DestinationFixture fixture;
  const auto batch = prepared(fixture).batch();
  CHECK(batch->add(fixture.record(1, -kDay)) == Batch::Added::taken);
  CHECK(batch->add(fixture.record(2, 0)) == Batch::Added::taken);
  CHECK(batch->add(fixture.record(3, 1)) == Batch::Added::full);
  CHECK(batch->full());
  CHECK(batch->records() == 2);
  CHECK(batch->send());
}

TEST_CASE("refused positions become records and reasons") {
  using Ids = std::vector<std::int64_t>;
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  struct Case {
    RejectedEvents rejected;
    Ids refused;
  };
  for (const Case& each : {
           Case{{}, {}},
           Case{{{}, 2, {}}, {1, 2}},
           Case{{4, {}, {}}, {5}},
           Case{{{}, {}, 1}, {1}},
           Case{{3, 1, 2}, {1, 2, 4, 5}},
           Case{{0, {}, {}}, {1, 2, 3, 4, 5}},
           Case{{5, 0, 0}, {}},
           Case{{kMost, {}, {}}, {}},
           Case{{{}, kMost, {}}, {1, 2, 3, 4, 5}},
           Case{{{}, {}, 6}, {1, 2, 3, 4, 5}},
           Case{{2, 4, {}}, {1, 2, 3, 4, 5}},
       }) {
    INFO(each.rejected.too_new_start.value_or(-1) << " " << each.rejected.too_old_end.value_or(-1)
                                                  << " " << each.rejected.expired_end.value_or(-1));
    CHECK(ids(refused_events(events(5), each.rejected)) == each.refused);
  }
  CHECK(refused_events({}, {0, 5, 5}).empty());

  const auto refused = refused_events(events(5), {4, 1, 2});
  REQUIRE(refused.size() == 3);
  CHECK(refused[0].reason ==
        "CloudWatch Logs refused the event: its time, 2026-09-21T14:13:20Z, is older than the 14 "
        "days that it takes");
  CHECK(refused[1].reason.find("older than the log group's retention") != std::string::npos);
  CHECK(refused[2].reason.find("more than 2 hours ahead") != std::string::npos);
}

TEST_CASE("events that the service refuses are named, in whatever order they came") {
  DestinationFixture fixture;
  auto batch = prepared(fixture).batch();
  batch->add(fixture.record(1, -14 * kDay + 10));
  batch->add(fixture.record(2, -14 * kDay - 10));
  batch->add(fixture.record(3, -14 * kDay + 20));
  batch->add(fixture.record(4, -14 * kDay - 20));
  SendResult sent = batch->send();
  REQUIRE(sent);
  CHECK(ids(sent->refused) == std::vector<std::int64_t>{4, 2});
  CHECK(fixture.service.events(kGroup, kStream).size() == 2);

  batch = fixture.batch();
  batch->add(fixture.record(5, 4 * kHour + 1));
  batch->add(fixture.record(6, 2 * kHour));
  sent = batch->send();
  REQUIRE(sent);
  CHECK(ids(sent->refused) == std::vector<std::int64_t>{5});
}

TEST_CASE("events that are too new only for now wait, and those beside them go once") {
  DestinationFixture fixture;
  const auto batch = prepared(fixture).batch();
  const std::string text = "{\"text\":\"" + std::string(300, 'x') + "\"}";
  for (std::int64_t id = 1; id <= 4; ++id) {
    batch->add(fixture.record(id, id == 2 ? 3 * kHour : id == 4 ? 4 * kHour : -id, text));
  }
  for (int attempt = 0; attempt < 2; ++attempt) {
    const SendResult waits = batch->send();
    REQUIRE(!waits);
    CHECK(waits.error().kind == FailureKind::clock);
    CHECK(waits.error().message.find("2 events, up to 2026-09-21T18:13:20Z, are more than 2 hours "
                                     "ahead") != std::string::npos);
    CHECK(fixture.service.events(kGroup, kStream).size() == 2);
  }
  fixture.service.now_ms += kHour + 1;
  CHECK(!batch->send());
  CHECK(fixture.service.events(kGroup, kStream).size() == 3);
  fixture.service.now_ms += kHour + 1;
  const SendResult sent = batch->send();
  REQUIRE(sent);
  CHECK(sent->refused.empty());
  const auto& taken = fixture.service.events(kGroup, kStream);
  REQUIRE(taken.size() == 4);
  CHECK(taken[2].message.find("request-2") != std::string::npos);
  CHECK(taken[3].message.find("request-4") != std::string::npos);
}

TEST_CASE("an event further ahead than any may wait takes none that waits with it") {
  DestinationFixture fixture;
  const auto batch = prepared(fixture).batch();
  batch->add(fixture.record(1, 5 * kHour));
  batch->add(fixture.record(2, 3 * kHour));
  batch->add(fixture.record(3, 3 * kHour + 1));
  batch->add(fixture.record(4, 0));
  CHECK(!batch->send());
  fixture.service.now_ms += 2 * kHour;
  const SendResult sent = batch->send();
  REQUIRE(sent);
  CHECK(ids(sent->refused) == std::vector<std::int64_t>{1});
  const auto& taken = fixture.service.events(kGroup, kStream);
  REQUIRE(taken.size() == 3);
  CHECK(taken[1].message.find("request-2") != std::string::npos);
  CHECK(taken[2].message.find("request-3") != std::string::npos);
}

TEST_CASE("a record whose metadata cannot fit is refused, and the rest arrives") {
  DestinationFixture fixture;
  const auto batch = prepared(fixture).batch();
  auto large = fixture.record(2);
  large.record.model_id = std::string(1'100'000, 'm');
  CHECK(batch->add(fixture.record(1)) == Batch::Added::taken);
  CHECK(batch->add(large) == Batch::Added::taken);
  CHECK(batch->records() == 2);
  const SendResult sent = batch->send();
  REQUIRE(sent);
  CHECK(ids(sent->refused) == std::vector<std::int64_t>{2});
  CHECK(fixture.service.events(kGroup, kStream).size() == 1);

  const auto nothing_else = fixture.batch();
  nothing_else->add(large);
  const SendResult refused = nothing_else->send();
  REQUIRE(refused);
  CHECK(ids(refused->refused) == std::vector<std::int64_t>{2});
  CHECK(fixture.service.calls.size() == 1);
}

TEST_CASE("a group or stream that is gone is made again, and the batch sent once more") {
  DestinationFixture fixture;
  REQUIRE(fixture.destination().prove(fixture.origin));
  fixture.service.remove_group(kGroup);
  fixture.service.calls.clear();
  CHECK(fixture.send_one(1));
  CHECK(fixture.service.operations() == Names{"PutLogEvents", "CreateLogStream", "CreateLogGroup",
                                              "CreateLogStream", "PutLogEvents"});
  CHECK(fixture.service.events(kGroup, kStream).size() == 1);

  for (int time = 0; time < 2; ++time) {
    fixture.service.answer_next("PutLogEvents",
                                FakeLogsService::error("ResourceNotFoundException"));
  }
  const SendResult twice = fixture.send_one(2);
  REQUIRE(!twice);
  CHECK(twice.error().kind == FailureKind::not_found);
}

TEST_CASE("a failed send may be made again, and sends the same") {
  DestinationFixture fixture;
  const auto batch = prepared(fixture).batch();
  batch->add(fixture.record(1));
  struct Case {
    const char* code;
    int status;
    FailureKind kind;
  };
  for (const Case& each : {Case{"ThrottlingException", 400, FailureKind::throttled},
                           Case{"ServiceUnavailableException", 503, FailureKind::transient},
                           Case{"InvalidParameterException", 400, FailureKind::rejected},
                           Case{"AccessDeniedException", 400, FailureKind::denied}}) {
    fixture.service.answer_next("PutLogEvents",
                                FakeLogsService::error(each.code, "m", each.status));
    const SendResult failed = batch->send();
    INFO(each.code);
    REQUIRE(!failed);
    CHECK(failed.error().kind == each.kind);
  }
  CHECK(batch->send());
  const auto& calls = fixture.service.calls;
  CHECK(calls.size() == 5);
  CHECK(calls.front().body == calls.back().body);
  CHECK(fixture.service.events(kGroup, kStream).size() == 1);
}

TEST_CASE("a lost answer means twice, never not at all") {
  DestinationFixture fixture;
  const auto batch = prepared(fixture).batch();
  batch->add(fixture.record(1));
  fixture.service.lose_next("PutLogEvents");
  const SendResult lost = batch->send();
  REQUIRE(!lost);
  CHECK(lost.error().kind == FailureKind::transient);
  CHECK(batch->send());
  CHECK(fixture.service.events(kGroup, kStream).size() == 2);
}

TEST_CASE("an answer that is not PutLogEvents' is no delivery") {
  for (const char* body :
       {"", "<html>It works!</html>", "null", "[]", "7", "{", "\xff",
        R"({"rejectedLogEventsInfo":[]})", R"({"rejectedLogEventsInfo":"x"})",
        R"({"rejectedLogEventsInfo":{"tooOldLogEventEndIndex":"x"}})",
        R"({"rejectedLogEventsInfo":{"tooOldLogEventEndIndex":1.5}})",
        R"({"rejectedLogEventsInfo":{"tooOldLogEventEndIndex":99999999999999999999999}})"}) {
    DestinationFixture fixture;
    prepared(fixture).service.answer_next("PutLogEvents", HttpResponse{200, {}, body});
    const SendResult sent = fixture.send_one(1);
    INFO(body);
    REQUIRE(!sent);
    CHECK(sent.error().kind == FailureKind::transient);
  }
}

TEST_CASE("positions that make no sense are bounded") {
  struct Case {
    const char* info;
    std::size_t refused;
  };
  for (const Case& each : {Case{R"({"tooOldLogEventEndIndex":18446744073709551615})", 3},
                           Case{R"({"tooNewLogEventStartIndex":9223372036854775807})", 0},
                           Case{R"({"tooNewLogEventStartIndex":-1})", 0},
                           Case{R"({"expiredLogEventEndIndex":-9223372036854775808})", 0},
                           Case{R"({"expiredLogEventEndIndex":null})", 0},
                           Case{R"({"somethingNew":7})", 0}, Case{"null", 0}, Case{"{}", 0}}) {
    DestinationFixture fixture;
    prepared(fixture).service.answer_next(
        "PutLogEvents",
        HttpResponse{200, {}, std::string(R"({"rejectedLogEventsInfo":)") + each.info + "}"});
    const auto batch = fixture.batch();
    for (int record = 1; record <= 3; ++record) {
      batch->add(fixture.record(record));
    }
    const SendResult sent = batch->send();
    INFO(each.info);
    REQUIRE(sent);
    CHECK(sent->refused.size() == each.refused);
  }
}

TEST_CASE("a service that cannot read gzip is sent plain bodies from then on") {
  DestinationFixture fixture;
  prepared(fixture).service.takes_gzip = false;
  CHECK(fixture.send_one(1));
  CHECK(fixture.send_one(2));
  REQUIRE(fixture.service.calls.size() == 3);
  CHECK(fixture.service.calls[0].gzip);
  CHECK(!fixture.service.calls[1].gzip);
  CHECK(!fixture.service.calls[2].gzip);
  CHECK(fixture.service.events(kGroup, kStream).size() == 2);
}

TEST_CASE("a redirect of a batch is refused") {
  DestinationFixture fixture;
  prepared(fixture).service.answer_next(
      "PutLogEvents",
      HttpResponse{301, {{"location", "https://logs.us-east-1.amazonaws.com"}}, ""});
  const SendResult sent = fixture.send_one(1);
  REQUIRE(!sent);
  CHECK(sent.error().kind == FailureKind::redirected);
  CHECK(fixture.service.calls.size() == 1);
}
