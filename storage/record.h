// One finished invocation as the store keeps it: the columns that plain SQL can ask for, and the
// two bodies.
//
// A plain value. It is built by the agent (agent/bedrock/record_builder) on the writer's thread and
// handed to storage::Writer; storage knows nothing of HTTP. An empty string or an empty optional
// means "unknown" and becomes NULL in the store and an absent field in the AWS-schema record:
// nothing is guessed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace invlog::storage {

// A request or response body in the form in which AWS's log schema shows it (content coding
// removed, event streams assembled). `bytes` reads back byte for byte.
struct Body {
  std::string bytes;
  std::string content_type;
  bool is_json = false;    // `bytes` is one valid JSON text; else the record shows it as base64
  bool truncated = false;  // the tee's bound cut it; the client got all of it
};

struct Record {
  std::int64_t started_at_us = 0;  // Unix time in µs at which the request's head had arrived
  std::optional<std::int64_t> duration_us;  // from there to the last byte sent to the client, µs
  std::optional<std::int64_t>
      first_byte_us;         // from there to the upstream's first response byte, µs
  std::string operation;     // Converse, ConverseStream, InvokeModel, ...
  std::string model_id;      // as the caller sent it, percent-decoded
  std::string profile;       // inference profile, once the catalogue knows it
  std::string scope;         // in-region, geographic, global; "" unknown
  std::string decision;      // allow, deny, flag
  std::string destinations;  // Regions where it may have been processed, as was known when it was
                             // made: "eu-central-1,eu-west-1"; "*" any commercial Region
  std::string inference_region;   // where it was processed, once known
  std::string request_id;         // response header x-amzn-RequestId
  std::string sdk_invocation_id;  // request header amz-sdk-invocation-id: joins an SDK's attempts
  std::string
      outcome;     // complete, client-closed, upstream-closed, timeout, denied, error, interrupted
  int status = 0;  // HTTP status the client was given, 0: none
  std::string error_code;  // ValidationException, throttlingException, ...
  std::string stop_reason;
  std::optional<std::int64_t> input_tokens;
  std::optional<std::int64_t> output_tokens;
  std::optional<std::int64_t> cache_read_tokens;
  std::optional<std::int64_t> cache_write_tokens;
  bool stream = false;            // the response was an event stream or SSE
  std::string identity_arn;       // who signed, if known
  std::string caller;             // Unix user name or uid of the calling process
  std::string caller_executable;  // its executable's path, if known
  std::optional<std::int64_t> caller_pid;
  std::string request_metadata;  // JSON object text, "" if none
  std::string
      details;  // JSON object text: what is rare (damage, undecoded bytes, messages), "" if none
  Body request;
  Body response;

  // Bytes this record occupies in memory, for the queue's bound.
  std::size_t memory_bytes() const;
};

}  // namespace invlog::storage
