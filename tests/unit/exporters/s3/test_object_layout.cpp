#include "exporters/s3/object_layout.h"

#include <cstdint>

#include "tests/catch.h"

using namespace invlog;
using namespace invlog::exporters;

namespace {

constexpr std::int64_t kLayoutStart = 1'790'000'000'123'456;  // 2026-09-21T14:13:20.123456Z

ObjectLayout layout() {
  return {"", "111122223333", "eu-central-1", Compression::gzip,
          "00112233445566778899aabbccddeeff"};
}

storage::StoredRecord record(std::int64_t id, std::string request_id) {
  storage::StoredRecord stored;
  stored.id = id;
  stored.record.started_at_us = kLayoutStart;
  stored.record.request_id = std::move(request_id);
  return stored;
}

const std::string kLayoutHour =
    "AWSLogs/111122223333/BedrockModelInvocationLogs/eu-central-1/2026/09/21/14/";

}  // namespace

TEST_CASE("A record object is named as AWS names its own") {
  // sha256 of "<instance>\n17\n42"
  CHECK(record_key(layout(), {17, 42, kLayoutStart, false}) ==
        kLayoutHour + "20260921T141320123Z_b20de86e0b1efd0b.json.gz");
  ObjectLayout other = layout();
  other.prefix = "team/logs";
  other.compression = Compression::zstd;
  CHECK(record_key(other, {17, 42, kLayoutStart, false}) ==
        "team/logs/" + kLayoutHour + "20260921T141320123Z_b20de86e0b1efd0b.json.zst");
  other.compression = Compression::none;
  CHECK(record_key(other, {17, 42, kLayoutStart, false}).ends_with("Z_b20de86e0b1efd0b.json"));
}

TEST_CASE("No two stores, batches or retries share a record object") {
  const std::string key = record_key(layout(), {17, 42, kLayoutStart, false});
  ObjectLayout other_store = layout();
  other_store.instance = "ff112233445566778899aabbccddeeff";
  CHECK(record_key(other_store, {17, 42, kLayoutStart, false}) != key);
  CHECK(record_key(layout(), {17, 43, kLayoutStart, false}) != key);
  CHECK(record_key(layout(), {1, 742, kLayoutStart, false}) !=
        record_key(layout(), {17, 42, kLayoutStart, false}));
  CHECK(record_key(layout(), {17, 42, kLayoutStart, true}) != key);
  CHECK(record_key(layout(), {17, 42, kLayoutStart, false}) == key);
}

TEST_CASE("An account that is not known has a folder of its own") {
  ObjectLayout unknown = layout();
  unknown.account.clear();
  CHECK(log_folder(unknown) == "AWSLogs/unknown/BedrockModelInvocationLogs/");
  unknown.prefix = "p";
  CHECK(permission_check_key(unknown) ==
        "p/AWSLogs/unknown/BedrockModelInvocationLogs/invlog-permission-check");
}

TEST_CASE("Folders and times are UTC at every edge") {
  const auto key = [](std::int64_t unix_us) {
    return record_key(layout(), {1, 1, unix_us, false}).substr(kLayoutHour.size() - 14, 33);
  };
  CHECK(key(0) == "1970/01/01/00/19700101T000000000Z");
  CHECK(key(-1) == "1969/12/31/23/19691231T235959999Z");
  CHECK(key(1'709'251'199'999'999) == "2024/02/29/23/20240229T235959999Z");
  CHECK(key(1'709'251'200'000'000) == "2024/03/01/00/20240301T000000000Z");
  CHECK(key(INT64_MAX) == "9999/12/31/23/99991231T235959999Z");
  CHECK(key(INT64_MIN) == "0000/01/01/00/00000101T000000000Z");
}

TEST_CASE("Hours begin at the full hour, before 1970 too") {
  CHECK(utc_hour(3'599'999'999) == 0);
  CHECK(utc_hour(3'600'000'000) == 1);
  CHECK(utc_hour(0) == 0);
  CHECK(utc_hour(-1) == -1);
  CHECK(utc_hour(-3'600'000'000) == -1);
  CHECK(utc_hour(-3'600'000'001) == -2);
}

TEST_CASE("A large body is named after its request and its record") {
  const storage::StoredRecord usual = record(17, "0f9d5a3e-1c55-4d0e-9a51-6a2a2f4b7c11");
  // sha256 of "<instance>\n17"
  CHECK(body_key(layout(), usual, BodySide::input) ==
        kLayoutHour + "data/0f9d5a3e-1c55-4d0e-9a51-6a2a2f4b7c11_bf2e89fe04eb2a88_input.json.gz");
  CHECK(body_key(layout(), usual, BodySide::output) ==
        kLayoutHour + "data/0f9d5a3e-1c55-4d0e-9a51-6a2a2f4b7c11_bf2e89fe04eb2a88_output.json.gz");
}

TEST_CASE("No two records, stores or AWS itself share a large body's object") {
  const std::string id = "0f9d5a3e-1c55-4d0e-9a51-6a2a2f4b7c11";
  const std::string key = body_key(layout(), record(17, id), BodySide::input);
  CHECK(body_key(layout(), record(18, id), BodySide::input) != key);
  ObjectLayout other_store = layout();
  other_store.instance = "ff112233445566778899aabbccddeeff";
  CHECK(body_key(other_store, record(17, id), BodySide::input) != key);
  CHECK(key != kLayoutHour + "data/" + id + "_input.json.gz");
}

TEST_CASE("Names of bodies as plans of version 1 have them") {
  const storage::StoredRecord usual = record(17, "0f9d5a3e-1c55-4d0e-9a51-6a2a2f4b7c11");
  CHECK(body_key(layout(), usual, BodySide::input, BodyName::request) ==
        kLayoutHour + "data/0f9d5a3e-1c55-4d0e-9a51-6a2a2f4b7c11_input.json.gz");
  CHECK(body_key(layout(), usual, BodySide::output, BodyName::record) ==
        kLayoutHour + "data/bf2e89fe04eb2a88_output.json.gz");
  CHECK(body_key(layout(), record(17, "a/b"), BodySide::input, BodyName::request) ==
        kLayoutHour + "data/bf2e89fe04eb2a88_input.json.gz");
}

TEST_CASE("The place of a body says which side it is, however it is named") {
  for (const BodyName name : {BodyName::request_and_record, BodyName::request, BodyName::record}) {
    const std::string input =
        s3_uri("records-eu", body_key(layout(), record(17, "ab-1"), BodySide::input, name));
    CHECK(is_body_place(input, BodySide::input));
    CHECK_FALSE(is_body_place(input, BodySide::output));
  }
}

TEST_CASE("A request id that is no plain name is replaced by the record's") {
  const std::string own = body_key(layout(), record(17, ""), BodySide::input);
  CHECK(own == kLayoutHour + "data/bf2e89fe04eb2a88_input.json.gz");
  for (const std::string& id :
       {std::string("../../secret"), std::string("a/b"), std::string("a_b"), std::string("a b"),
        std::string("nul\0", 4), std::string("\xc3\xa9"), std::string(65, 'a')}) {
    CHECK(body_key(layout(), record(17, id), BodySide::input) == own);
  }
  CHECK(body_key(layout(), record(17, std::string(64, 'a')), BodySide::input) != own);
  CHECK(body_key(layout(), record(18, ""), BodySide::input) != own);
}

TEST_CASE("An S3 path is what AWS writes into a record") {
  CHECK(s3_uri("records-eu", "a/b.json.gz") == "s3://records-eu/a/b.json.gz");
}
