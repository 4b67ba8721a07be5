#include <simdjson.h>

#include <string>
#include <vector>

#include "exporters/cloudwatch_logs/log_event_batch.h"
#include "tests/catch.h"

using namespace invlog::exporters;

namespace {

constexpr std::int64_t kBatchNow = 1'790'000'000'000;
constexpr std::int64_t kDay = 24LL * 3600 * 1000;

// The records' messages as they are sent.
std::vector<std::string> sent_messages(LogEventBatch& batch) {
  simdjson::dom::parser parser;
  const std::string body = batch.take_request("/group", "stream");
  std::vector<std::string> messages;
  for (const simdjson::dom::element event : parser.parse(body)["logEvents"].get_array()) {
    messages.emplace_back(event["message"].get_string().value());
  }
  return messages;
}

}  // namespace

TEST_CASE("a batch takes 1,048,576 bytes, 26 of them for each event, and not one more") {
  LogEventBatch batch;
  CHECK(batch.add(1, kBatchNow, std::string(1'000'000, 'x')));
  CHECK(batch.add(2, kBatchNow, std::string(1'048'576 - 1'000'000 - 3 * 26 - 1, 'x')));
  CHECK(!batch.full());
  CHECK(!batch.add(3, kBatchNow, "xx"));
  CHECK(batch.events() == 2);
  CHECK(batch.add(3, kBatchNow, "x"));
  CHECK(batch.bytes() == 1'048'576);
  CHECK(batch.full());
  CHECK(!batch.add(4, kBatchNow, "x"));
}

TEST_CASE("one event takes 1,048,550 bytes at most") {
  LogEventBatch batch;
  CHECK(!batch.add(1, kBatchNow, std::string(1'048'551, 'x')));
  CHECK(batch.add(1, kBatchNow, std::string(1'048'550, 'x')));
}

TEST_CASE("bytes are those of the message, not of its escaped form") {
  LogEventBatch batch;
  CHECK(batch.add(1, kBatchNow, std::string(1'048'550, '"')));
  CHECK(batch.bytes() == 1'048'576);
  LogEventBatch other;
  CHECK(other.add(1, kBatchNow, "\xE2\x82\xAC"));
  CHECK(other.bytes() == 29);
}

TEST_CASE("a batch takes 10,000 events") {
  LogEventBatch batch;
  for (int record = 1; record <= 10'000; ++record) {
    REQUIRE(!batch.full());
    REQUIRE(batch.add(record, kBatchNow, "line"));
  }
  CHECK(batch.full());
  CHECK(!batch.add(10'001, kBatchNow, "line"));
  CHECK(batch.events() == 10'000);
}

TEST_CASE("a batch spans 24 hours, whichever end grows") {
  LogEventBatch batch;
  CHECK(batch.add(1, kBatchNow, "a"));
  CHECK(!batch.add(2, kBatchNow + kDay + 1, "b"));
  CHECK(!batch.add(2, kBatchNow - kDay - 1, "b"));
  CHECK(batch.add(2, kBatchNow + kDay, "b"));
  CHECK(!batch.add(3, kBatchNow - 1, "c"));
  CHECK(batch.add(3, kBatchNow, "c"));
}

TEST_CASE("events are sorted by time, those of one millisecond stay as they came") {
  LogEventBatch batch;
  batch.add(1, kBatchNow + 5, "late");
  batch.add(2, kBatchNow, "first of a millisecond");
  batch.add(3, kBatchNow - 5, "early");
  batch.add(4, kBatchNow, "second of a millisecond");
  CHECK(sent_messages(batch) == std::vector<std::string>{"early", "first of a millisecond",
                                                         "second of a millisecond", "late"});
  std::vector<std::int64_t> records;
  for (const LogEventBatch::Event& event : batch.sent_order()) {
    records.push_back(event.record);
  }
  CHECK(records == std::vector<std::int64_t>{3, 2, 4, 1});
}

TEST_CASE("the request is JSON whatever is in the messages") {
  LogEventBatch batch;
  batch.add(1, kBatchNow, "a \"quoted\" \\ line\twith \x01 and \xE2\x82\xAC");
  CHECK(batch.take_request("/a\"b", "c") ==
        R"({"logGroupName":"/a\"b","logStreamName":"c","logEvents":[{"timestamp":1790000000000,)"
        R"("message":"a \"quoted\" \\ line\twith \u0001 and )"
        "\xE2\x82\xAC\"}]}");
}

TEST_CASE("an empty message is not added, and a time before 1970 becomes 1970") {
  LogEventBatch batch;
  CHECK(!batch.add(1, kBatchNow, ""));
  CHECK(batch.add(1, -5, "x"));
  CHECK(batch.take_request("g", "s").find(R"("timestamp":0,)") != std::string::npos);
}

TEST_CASE("a smaller batch is full earlier, but takes one event of any size") {
  LogEventBatch batch(1000);
  CHECK(!batch.full());
  CHECK(batch.add(1, kBatchNow, std::string(5000, 'x')));
  CHECK(batch.full());
  CHECK(!batch.add(2, kBatchNow, "x"));

  LogEventBatch other(1000);
  CHECK(other.add(1, kBatchNow, std::string(500, 'x')));
  CHECK(!other.add(2, kBatchNow, std::string(449, 'x')));
  CHECK(other.add(2, kBatchNow, std::string(448, 'x')));
  CHECK(other.full());

  LogEventBatch none(0);
  CHECK(!none.full());
  CHECK(none.add(1, kBatchNow, "x"));

  LogEventBatch large(5'000'000);
  CHECK(large.add(1, kBatchNow, std::string(1'048'549, 'x')));
  CHECK(large.full());
}

TEST_CASE("gzip comes back the same, and only if it is smaller") {
  const std::string text(10'000, 'x');
  const std::string compressed = gzip_if_smaller(text);
  CHECK(!compressed.empty());
  CHECK(compressed.size() < 200);
  CHECK(compressed.starts_with("\x1f\x8b"));
  CHECK(gunzip(compressed, text.size()) == text);
  CHECK(gzip_if_smaller("short").empty());
  CHECK(gzip_if_smaller("").empty());
}
