#include <simdjson.h>

#include <array>
#include <clocale>
#include <cstdint>
#include <limits>
#include <utility>

#include "storage/reader.h"
#include "tests/catch.h"
#include "tests/unit/storage/temporary_store.h"

using namespace invlog::storage;

namespace {

StoreInformation store_information() {
  StoreInformation store;
  store.region = "eu-central-1";
  store.account_id = "111122223333";
  store.host = "renamed since";
  return store;
}

StoredRecord stored(Record record) {
  StoredRecord stored;
  stored.id = 17;
  stored.host = "host-7";
  stored.record = std::move(record);
  return stored;
}

}  // namespace

TEST_CASE("half a surrogate pair in a body is no character in the line, which stays valid") {
  Record record;
  record.request.bytes = R"({"a":"x\ud83d y\ude00\ud83d\ud83d\ude00 \\ud83d \u00e9"})";
  record.request.is_json = true;
  record.request_metadata = R"({"cut":"\uDBFF"})";
  const std::string line = record_json(store_information(), stored(std::move(record)));
  CHECK(line.find(R"({"a":"x\ufffd y\ufffd\ufffd\ud83d\ude00 \\ud83d \u00e9"})") !=
        std::string::npos);
  CHECK(line.find(R"("requestMetadata":{"cut":"\ufffd"})") != std::string::npos);
}

TEST_CASE("A record's line has AWS's fields, and everything else under invlog") {
  CHECK(record_json(store_information(), stored(full_record())) ==
        R"({"schemaType":"ModelInvocationLog","schemaVersion":"1.0",)"
        R"("timestamp":"2026-09-21T14:13:20Z","accountId":"111122223333",)"
        R"("identity":{"arn":"arn:aws:sts::111122223333:assumed-role/app/session"},)"
        R"("region":"eu-central-1","requestId":"0f9d5a3e-1c55-4d0e-9a51-6a2a2f4b7c11",)"
        R"("operation":"ConverseStream","modelId":"eu.amazon.nova-2-lite-v1:0",)"
        R"("errorCode":"throttlingException","requestMetadata":{"team":"orchestrator"},)"
        R"("input":{"inputContentType":"application/json","inputBodyJson":{"messages":[]},)"
        R"("inputTokenCount":3,"cacheReadInputTokenCount":0,"cacheWriteInputTokenCount":28857},)"
        R"("output":{"outputContentType":"application/octet-stream","outputTokenCount":150},)"
        R"("inferenceRegion":"eu-west-3","invlog":{"id":17,"outcome":"client-closed","status":200,)"
        R"("latencyMs":1234.567,"firstByteMs":89.012,"stream":true,"stopReason":"end_turn",)"
        R"("profile":"eu.amazon.nova-2-lite-v1:0","scope":"geographic","decision":"flag",)"
        R"("sdkInvocationId":"7e2c6f50-53a8-4b8b-8f43-000000000001",)"
        R"("caller":{"user":"www-data","executable":"/usr/bin/python3.11","pid":4711},)"
        R"("host":"host-7","outputTruncated":true,"outputBodyBase64":"AP8KIGJpbmFyeQ==",)"
        R"("details":{"damage":"crc"}}})");
}

TEST_CASE("A record of another account's identity has that account") {
  const auto account = [](StoreInformation store, const std::string& arn) {
    Record record;
    record.identity_arn = arn;
    const std::string line = record_json(store, stored(std::move(record)));
    const std::string member = R"("accountId":")";
    const std::size_t at = line.find(member);
    return at == std::string::npos ? "" : line.substr(at + member.size(), 12);
  };
  const StoreInformation store = store_information();
  CHECK(account(store, "arn:aws:sts::999999999999:assumed-role/app/host") == "999999999999");
  CHECK(account(store, "arn:aws:iam::999999999999:user/a:b") == "999999999999");
  for (const char* none : {"", "arn:aws:sts::", "arn:aws:sts", "arn:aws:iam::99999999999:user/x",
                           "arn:aws:iam::99999999999x:user/x", "a:b:c:d:999999999999:e"}) {
    CHECK(account(store, none) == "111122223333");
  }
  StoreInformation nameless = store;
  nameless.account_id.clear();
  CHECK(account(nameless, "").empty());
}

TEST_CASE("Milliseconds are written alike in every locale") {
  using Time = std::pair<std::int64_t, const char*>;
  const std::array times{Time{0, "0.000"},
                         Time{7, "0.007"},
                         Time{1'909, "1.909"},
                         Time{999'999, "999.999"},
                         Time{1'000'000, "1000.000"},
                         Time{-1'500, "-1.500"},
                         Time{4'503'599'627'370'497, "4503599627370.497"}};
  const std::string before = std::setlocale(LC_NUMERIC, nullptr);
  // Those with a comma that the machine has, if any.
  for (const char* name :
       {"C", "de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8", "nl_NL.UTF-8"}) {
    if (std::setlocale(LC_NUMERIC, name) == nullptr) {
      continue;
    }
    for (const auto& [microseconds, text] : times) {
      Record record = record_with("", "");
      record.duration_us = microseconds;
      const std::string line = record_json(store_information(), stored(std::move(record)));
      std::setlocale(LC_NUMERIC, before.c_str());
      INFO(name);
      CHECK(line.find("\"latencyMs\":" + std::string(text) + ",") != std::string::npos);
      std::setlocale(LC_NUMERIC, name);
    }
  }
  std::setlocale(LC_NUMERIC, before.c_str());
}

TEST_CASE("What is unknown is left out") {
  Record record;
  record.started_at_us = 1'790'000'000'999'999;
  StoredRecord unknown = stored(std::move(record));
  unknown.host.clear();
  CHECK(record_json({}, unknown) ==
        R"({"schemaType":"ModelInvocationLog","schemaVersion":"1.0",)"
        R"("timestamp":"2026-09-21T14:13:20Z","input":{},"output":{},"invlog":{"id":17}})");
}

TEST_CASE("The line of an erased record says so") {
  StoredRecord record = stored(record_with("", ""));
  CHECK(record_json(store_information(), record).find("erased") == std::string::npos);
  record.erased = true;
  CHECK(record_json(store_information(), record).find(R"("erased":true)") != std::string::npos);
}

TEST_CASE("A failed call keeps its bodies") {
  Record record = record_with(R"({"messages":[1]})", R"({"message":"no"})");
  record.status = 400;
  record.error_code = "ValidationException";
  const std::string line = record_json(store_information(), stored(record));
  CHECK(line.find(R"("errorCode":"ValidationException")") != std::string::npos);
  CHECK(line.find(R"("inputBodyJson":{"messages":[1]})") != std::string::npos);
  CHECK(line.find(R"("outputBodyJson":{"message":"no"})") != std::string::npos);
}

TEST_CASE("Any record is one line of valid JSON") {
  Record record = record_with("{\r\n  \"a\": \"\\n\"\n}", "[1,\n2]");
  record.model_id = "quote \" backslash \\ tab \t bell \a not UTF-8 \xff";
  record.caller = std::string("nul \0 inside", 12);
  const std::string line = record_json(store_information(), stored(record));
  CHECK(line.find('\n') == std::string::npos);
  CHECK(line.find('\r') == std::string::npos);
  simdjson::dom::parser parser;
  simdjson::dom::element parsed;
  REQUIRE(parser.parse(line).get(parsed) == simdjson::SUCCESS);
  CHECK(std::string_view(parsed["input"]["inputBodyJson"]["a"]) == "\n");
  CHECK(std::string_view(parsed["modelId"]) ==
        "quote \" backslash \\ tab \t bell \a not UTF-8 \xef\xbf\xbd");
}

TEST_CASE("A body that is elsewhere leaves only its place in the line") {
  const StoredRecord record = stored(full_record());  // JSON in, bytes out
  const std::string inline_line = record_json(store_information(), record);
  CHECK(record_json(store_information(), record, BodyPlaces{}) == inline_line);

  const std::string line = record_json(store_information(), record, {"s3://b/in", "s3://b/out"});
  CHECK(line.find(R"("input":{"inputContentType":"application/json",)"
                  R"("inputBodyS3Path":"s3://b/in","inputTokenCount":3)") != std::string::npos);
  CHECK(line.find(R"("outputBodyS3Path":"s3://b/out","outputTokenCount":150)") !=
        std::string::npos);
  for (const char* gone :
       {"inputBodyJson", "inputBodyBase64", "outputBodyJson", "outputBodyBase64"}) {
    CHECK(line.find(gone) == std::string::npos);
  }

  const std::string half = record_json(store_information(), record, {"s3://b/in", ""});
  CHECK(half.find("inputBodyJson") == std::string::npos);
  CHECK(half.find(R"("outputBodyBase64":"AP8KIGJpbmFyeQ==")") != std::string::npos);
}

TEST_CASE("What is cut is marked in the line") {
  StoredRecord record = stored(full_record());  // JSON in, bytes out
  record.record.request.bytes = R"({"prompt":"a long one"})";
  LineCuts cuts;
  cuts.input = R"({"prompt":"a"})";
  cuts.output = record.record.response.bytes.substr(0, 3);
  cuts.details = "";
  const std::string line = record_json(store_information(), record, BodyPlaces{}, cuts);
  for (const char* there :
       {R"("inputBodyJson":{"prompt":"a"})", R"("inputCut":true,"inputOriginalBytes":23,)",
        R"("outputCut":true,"outputOriginalBytes":10,)", R"("detailsCut":true)",
        R"("outputBodyBase64":"AP8K")"}) {
    INFO(there);
    CHECK(line.find(there) != std::string::npos);
  }
  for (const char* gone : {"a long one", R"("details":)", "requestMetadataCut"}) {
    INFO(gone);
    CHECK(line.find(gone) == std::string::npos);
  }
}
