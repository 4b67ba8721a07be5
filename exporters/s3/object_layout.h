// The names of the objects that invlog writes, which are like AWS's own for Bedrock's Model
// Invocation Logging (facts/bedrock.md §1.8):
//
//   [prefix/]AWSLogs/<account>/BedrockModelInvocationLogs/<region>/YYYY/MM/DD/HH/
//       YYYYMMDDTHHmmssSSSZ_<16 hex digits>.json.gz     records, one line each
//       data/<requestId>_<16 hex digits>_input.json.gz  a large body (and _output.json.gz)
//
// AWS's bodies are data/<requestId>_input.json.gz, which invlog's are not: its logging into the
// same bucket and invlog would overwrite each other's.
//
// All times are UTC. A name derives from the records in the object and from the store they came
// from, never from the moment of sending: what is sent again overwrites itself, and no two stores
// or batches collide.
//
// Pure functions; any thread; never throw but for lack of memory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "exporters/s3/s3_options.h"
#include "storage/reader.h"

namespace invlog::exporters {

// What is the same for every object of a delivery.
struct ObjectLayout {
  std::string prefix;   // S3Options::prefix
  std::string account;  // 12 digits; "" becomes "unknown" (a custom endpoint without AWS behind it)
  std::string region;   // source Region
  Compression compression = Compression::gzip;  // decides the ending
  std::string instance;                         // Origin::instance
};

enum class BodySide { input, output };

// Hours since 1970-01-01 00:00 UTC: records of one hour share a folder.
std::int64_t utc_hour(std::int64_t unix_us);

// "[prefix/]AWSLogs/<account>/BedrockModelInvocationLogs/", what a bucket policy can name.
std::string log_folder(const ObjectLayout& layout);

// The object of the records `first_id` .. `last_id` of one hour; `first_started_at_us` is the first
// record's. `retry`: single records out of the dead letters, whose ids must not collide with those
// of the batch that they once were in.
struct RecordSpan {
  std::int64_t first_id = 0, last_id = 0;
  std::int64_t first_started_at_us = 0;
  bool retry = false;
};
std::string record_key(const ObjectLayout& layout, const RecordSpan& span);

// "[prefix/]AWSLogs/<account>/BedrockModelInvocationLogs/<region>/YYYY/MM/DD/HH/"
std::string folder_of(const ObjectLayout& layout, std::int64_t started_at_us);
// Whether record_key() gives `key` to these records of the layout's store, at whatever time and
// with whatever compression.
bool is_record_key(const ObjectLayout& layout, std::string_view key, std::int64_t first_id,
                   std::int64_t last_id);

// What a body's object is named after. The record is a digest of store and record id; the request
// id is the upstream's, and nothing makes it give each only once. A request id that is empty,
// longer than 64 characters or has others than A-Z a-z 0-9 and '-' is in no name: the record stands
// alone.
enum class BodyName {
  request_and_record,
  request,  // these two: BatchPlan::bodies_by_request
  record
};

// The object of one record's body.
std::string body_key(const ObjectLayout& layout, const storage::StoredRecord& record, BodySide side,
                     BodyName name = BodyName::request_and_record);

// Whether body_key() gives such names to that side's bodies. `place`: s3_uri().
bool is_body_place(std::string_view place, BodySide side);

// The object that `invlog doctor` writes: zero bytes, as AWS's
// amazon-bedrock-logs-permission-check.
std::string permission_check_key(const ObjectLayout& layout);

// "s3://bucket/key", the form of inputBodyS3Path.
std::string s3_uri(std::string_view bucket, std::string_view key);

}  // namespace invlog::exporters
