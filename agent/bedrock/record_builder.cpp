#include "agent/bedrock/record_builder.h"

#include <simdjson.h>

#include <array>
#include <optional>
#include <utility>

#include "agent/bedrock/chunk_assembler.h"
#include "agent/bedrock/content_coding.h"
#include "agent/bedrock/converse_assembler.h"
#include "agent/bedrock/event_stream_decoder.h"
#include "agent/bedrock/input_events.h"
#include "agent/bedrock/json_text.h"
#include "agent/bedrock/label_text.h"
#include "agent/bedrock/openai_assembler.h"
#include "agent/bedrock/operation.h"
#include "agent/bedrock/other_events.h"
#include "agent/bedrock/response_facts.h"
#include "agent/bedrock/sse_decoder.h"
#include "exporters/aws/repeated_request.h"
#include "storage/base64.h"
#include "storage/json_writer.h"

namespace invlog::bedrock {
namespace {

using storage::append_json_member;
using storage::append_json_number;
using storage::append_json_raw;

// Bytes that a label or an id may have (label_text.h). A model's id: AWS's own limit, as an ARN's.
// Metadata: AWS's 16 pairs of 256 and 256 characters, each of which an escape may double.
constexpr std::size_t kMostIdBytes = 2048;
constexpr std::size_t kMostPathBytes = 4096;
constexpr std::size_t kMostWordBytes = 256;
constexpr std::size_t kMostMetadataBytes = 16 * 1024;
// Of a request's id, or an SDK's; AWS's own are UUIDs.
constexpr std::size_t kMostIdentifierBytes = 256;

// Streams are decoded in slices of this, so that the decoder's buffer stays as small as a message.
constexpr std::size_t kSlice = 64 * 1024;

// Parsers keep their buffers from call to call: thousands of small calls a second must not allocate
// each time.
struct Parsers {
  JsonText body, payload, chunk;
  void trim() {
    body.trim();
    payload.trim();
    chunk.trim();
  }
};

// Whether `content_type` is `media_type`, whatever its case and parameters.
bool is_media_type(std::string_view content_type, std::string_view media_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (!content_type.empty() && content_type.back() == ' ') {
    content_type.remove_suffix(1);
  }
  if (content_type.size() != media_type.size()) {
    return false;
  }
  for (std::size_t at = 0; at < media_type.size(); ++at) {
    const char character = content_type[at];
    const char lower = character >= 'A' && character <= 'Z'
                           ? static_cast<char>(character + ('a' - 'A'))
                           : character;
    if (lower != media_type[at]) {
      return false;
    }
  }
  return true;
}

// Builds one record. Lives for one call of build_record.
class RecordBuilder {
 public:
  RecordBuilder(Invocation& invocation, Parsers& parsers)
      : invocation_(invocation), parsers_(parsers) {}

  storage::Record build() {
    if (std::optional<Target> target = parse_target(invocation_.method, invocation_.target)) {
      operation_ = target->operation;
      record_.operation = operation_name(target->operation);
      record_.model_id = std::move(target->model_id);
    } else {
      append_json_member(details_, "target", invocation_.target);
    }
    take_plain_fields();
    take_request();
    take_response();
    record_.input_tokens = facts_.input_tokens;
    record_.output_tokens = facts_.output_tokens;
    record_.cache_read_tokens = facts_.cache_read_tokens;
    record_.cache_write_tokens = facts_.cache_write_tokens;
    record_.stop_reason = std::move(facts_.stop_reason);
    record_.error_code = std::move(facts_.error_code);
    bound_texts();
    finish_details();
    return std::move(record_);
  }

 private:
  bool is_openai() const {
    return operation_ == Operation::chat_completions || operation_ == Operation::responses;
  }
  bool is_converse() const {
    return operation_ == Operation::converse || operation_ == Operation::converse_stream;
  }

  void take_plain_fields();
  void take_request();
  void take_request_metadata(std::string_view json);
  void read_request_body();
  void take_response();
  bool take_body(storage::Body& body, CapturedBody& captured, const Headers& headers,
                 const char* prefix);
  void check_json(storage::Body& body);
  void cut_credentials();
  void read_plain_response();
  void assemble_input_events();
  void note_other_events(const std::string& name, const OtherEvents& events);
  void note_damage(const char* name, const EventStreamDamage& damage);
  void assemble_event_stream();
  void take_stream_exception(const EventMessage& message);
  void assemble_server_sent_events();
  void note_damaged_frame(const EventStreamDamage& damage);
  void note_early_end(std::string_view where);
  void note_failed_coding();
  std::string missing_end(const ConverseAssembler& converse, std::size_t messages) const;
  void note_own_end();
  bool claims_success() const;
  bool claims_whole_success() const;
  void note_failure(const std::string& error);
  void bound(const char* name, std::string& text, std::size_t most);
  void bound_texts();
  void finish_details();

  Invocation& invocation_;
  Parsers& parsers_;
  storage::Record record_;
  ResponseFacts facts_;
  ContentFailure coding_failure_;  // of the body that was last taken, if that could not be read
  std::optional<Operation> operation_;
  std::string stream_errors_;   // elements of a JSON array
  std::string overlong_ = "{";  // what was cut: its length as it came, by name
  std::string details_ = "{";
};

void RecordBuilder::take_plain_fields() {
  record_.started_at_us = invocation_.started_at_us;
  record_.duration_us = invocation_.duration_us;
  record_.first_byte_us = invocation_.first_byte_us;
  record_.request_id = header(invocation_.response_headers, "x-amzn-RequestId");
  record_.sdk_invocation_id = header(invocation_.request_headers, "amz-sdk-invocation-id");
  record_.outcome = to_string(invocation_.outcome);
  record_.status = invocation_.status;
  record_.identity_arn = std::move(invocation_.identity_arn);
  if (invocation_.caller.uid) {
    record_.caller = invocation_.caller.name.empty() ? std::to_string(*invocation_.caller.uid)
                                                     : std::move(invocation_.caller.name);
  }
  record_.caller_executable = std::move(invocation_.caller.executable);
  if (invocation_.caller.pid) {
    record_.caller_pid = *invocation_.caller.pid;
  }
  if (invocation_.not_sent) {
    append_json_raw(details_, "sent", "false");
  }
  record_.scope = std::move(invocation_.residency.scope);
  record_.profile = std::move(invocation_.residency.profile);
  record_.destinations = std::move(invocation_.residency.destinations);
  record_.decision = std::move(invocation_.residency.decision);
  if (!invocation_.residency.rule.empty()) {
    append_json_member(details_, "rule", invocation_.residency.rule);
  }
  if (invocation_.intercepted) {
    append_json_member(details_, "capture", "proxy");
  }
  if (!invocation_.access_key_id.empty()) {
    std::string signature = "{";
    append_json_member(signature, "accessKeyId", invocation_.access_key_id);
    append_json_member(signature, "signedAt", invocation_.signed_at);
    append_json_raw(details_, "signature", signature + "}");
  }
}

// Moves a body into the record without its content coding; false if that could not be removed, and
// the body means nothing as it is. `prefix` ("request", "response") begins the names of what is
// said in details.
bool RecordBuilder::take_body(storage::Body& body, CapturedBody& captured, const Headers& headers,
                              const char* prefix) {
  body.bytes = std::move(captured.bytes);
  body.content_type = header(headers, "content-type");
  body.truncated = captured.truncated;
  const std::string name(prefix);
  if (captured.truncated) {
    append_json_number(details_, name + "Bytes", static_cast<long long>(captured.total));
  }
  const std::string coding = joined_header(headers, "content-encoding");
  if (body.bytes.empty() || !has_content_coding(coding)) {
    return true;
  }
  append_json_member(details_, name + "ContentEncoding", coding);
  tl::expected<std::string, ContentFailure> decoded = decode_content(coding, body.bytes);
  if (!decoded) {
    append_json_member(details_, name + "ContentError", decoded.error().cause);
    coding_failure_ = std::move(decoded.error());
    return false;
  }
  body.bytes = std::move(*decoded);
  return true;
}

// Leaves the text in parsers_.body for reading.
void RecordBuilder::check_json(storage::Body& body) {
  if (body.bytes.empty()) {
    return;
  }
  JsonText::pad(body.bytes);
  body.is_json = parsers_.body.parse_padded(body.bytes);
  // boto3 sends no content type with InvokeModel; that a body is JSON can be seen.
  if (body.is_json && body.content_type.empty()) {
    body.content_type = "application/json";
  }
}

void RecordBuilder::take_request() {
  if (take_body(record_.request, invocation_.request, invocation_.request_headers, "request")) {
    if (operation_ == Operation::invoke_model_with_bidirectional_stream) {
      assemble_input_events();
    }
    check_json(record_.request);
  }
  if (record_.request.is_json) {
    read_request_body();
  }
  const std::string_view metadata =
      header(invocation_.request_headers, "X-Amzn-Bedrock-Request-Metadata");
  if (!metadata.empty()) {
    take_request_metadata(metadata);
  }
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kParameters = {{
      {"accept", "X-Amzn-Bedrock-Accept"},
      {"trace", "X-Amzn-Bedrock-Trace"},
      {"guardrailIdentifier", "X-Amzn-Bedrock-GuardrailIdentifier"},
      {"guardrailVersion", "X-Amzn-Bedrock-GuardrailVersion"},
      {"performanceConfigLatency", "X-Amzn-Bedrock-PerformanceConfig-Latency"},
      {"serviceTier", "X-Amzn-Bedrock-Service-Tier"},
  }};
  std::string parameters = "{";
  for (const auto& [name, header_name] : kParameters) {
    const std::string_view value = header(invocation_.request_headers, header_name);
    if (!value.empty()) {
      append_json_member(parameters, name, value);
    }
  }
  if (parameters.size() > 1) {
    append_json_raw(details_, "requestParameters", parameters + "}");
  }
}

// What cannot be read is left out, not kept as it is: there are signatures in it.
void RecordBuilder::assemble_input_events() {
  storage::Body& request = record_.request;
  InputEvents events(parsers_.payload, parsers_.chunk);
  events.read(request.bytes);
  if (events.damage()) {
    note_damage("requestDamage", *events.damage());
  }
  note_other_events("otherRequestEvents", events.other_events());
  append_json_number(details_, "requestEvents", static_cast<long long>(events.messages()));
  request.bytes = events.body();
  request.content_type = request.bytes.empty() ? "" : "application/json";
}

void RecordBuilder::note_other_events(const std::string& name, const OtherEvents& events) {
  if (!events.elements().empty()) {
    append_json_raw(details_, name, "[" + events.elements() + "]");
  }
  if (events.left_out() != 0) {
    append_json_number(details_, name + "LeftOut", static_cast<long long>(events.left_out()));
  }
}

void RecordBuilder::note_damage(const char* name, const EventStreamDamage& damage) {
  std::string text = "{";
  append_json_number(text, "offset", static_cast<long long>(damage.offset));
  append_json_member(text, "cause", damage.cause);
  append_json_raw(details_, name, text + "}");
}

void RecordBuilder::read_request_body() {
  const std::string_view wanted = is_openai() ? "model" : is_converse() ? "requestMetadata" : "";
  if (wanted.empty()) {
    return;
  }
  const std::optional<JsonText::Object> body = parsers_.body.object();
  if (!body) {
    return;
  }
  each_member(*body, [&](std::string_view name, JsonText::Value value) {
    if (name != wanted) {
      return;
    }
    if (is_openai()) {
      record_.model_id = json_string(value).value_or("");
    } else {
      take_request_metadata(json_raw(value));
    }
  });
}

// `json` is a member of the body or a header's value, so it may be anything.
void RecordBuilder::take_request_metadata(std::string_view json) {
  if (!parsers_.payload.parse(json) || !parsers_.payload.object()) {
    return;
  }
  record_.request_metadata = compact_json(json);
}

void RecordBuilder::take_response() {
  read_token_headers(invocation_.response_headers, facts_);
  read_error_header(invocation_.response_headers, facts_);
  const bool readable =
      take_body(record_.response, invocation_.response, invocation_.response_headers, "response");
  const std::string_view type = record_.response.content_type;
  const bool event_stream = is_media_type(type, "application/vnd.amazon.eventstream");
  const bool server_sent_events = is_media_type(type, "text/event-stream");
  record_.stream = event_stream || server_sent_events;
  if (!readable) {
    if (record_.stream) {
      note_failed_coding();
    }
    return;
  }
  cut_credentials();
  if (event_stream) {
    assemble_event_stream();
  } else if (server_sent_events) {
    assemble_server_sent_events();
  } else {
    check_json(record_.response);
    read_plain_response();
  }
}

// Bedrock's answer to a signature that it does not accept has the session token in it, whether the
// agent's or the application's. Which error codes do that is nowhere said, so all are looked at.
void RecordBuilder::cut_credentials() {
  if (record_.status / 100 == 4 && aws::cut_repeated_request(record_.response.bytes)) {
    append_json_member(details_, "responseCut", "the signed request that the service repeated");
  }
}

void RecordBuilder::read_plain_response() {
  const std::optional<JsonText::Object> body = parsers_.body.object();
  if (!record_.response.is_json || !body) {
    return;
  }
  if (record_.status >= 400) {
    read_error_body(*body, facts_);
  } else if (is_openai()) {
    read_openai_body(*body, facts_);
  } else if (is_converse()) {
    read_converse_body(*body, facts_);
  } else {
    read_invoke_body(*body, facts_);
  }
}

void RecordBuilder::assemble_event_stream() {
  storage::Body& response = record_.response;
  const std::string raw = std::move(response.bytes);
  EventStreamDecoder decoder;
  ConverseAssembler converse(parsers_.payload);
  ChunkAssembler chunks(parsers_.payload, parsers_.chunk, facts_);
  std::size_t messages = 0;
  for (std::size_t at = 0; at < raw.size(); at += kSlice) {
    decoder.feed(std::string_view(raw).substr(at, kSlice));
    while (const std::optional<EventMessage> message = decoder.next()) {
      ++messages;
      const std::string_view type = message->text(":message-type");
      if (type == "exception" || type == "error") {
        take_stream_exception(*message);
      } else if (is_converse()) {
        converse.add(message->text(":event-type"), message->payload);
      } else {
        chunks.add(message->text(":event-type"), message->payload);
      }
    }
  }
  if (decoder.damage()) {
    note_damaged_frame(*decoder.damage());
  } else if (!decoder.undecoded().empty()) {
    note_early_end("within a frame");
  } else if (const std::string missing = missing_end(converse, messages); !missing.empty()) {
    note_early_end("before " + missing);
  } else if (is_converse() || facts_.has_invocation_metrics) {
    note_own_end();
  }
  if (messages == 0) {
    response.bytes = raw;  // nothing could be read: the body is what came
    return;
  }
  if (!decoder.undecoded().empty()) {
    append_json_member(details_, "undecoded", storage::base64_encode(decoder.undecoded()));
  }
  note_other_events("otherEvents", is_converse() ? converse.other_events() : chunks.other_events());
  response.bytes = is_converse() ? converse.body() : chunks.body();
  const std::string_view inner =
      header(invocation_.response_headers, "X-Amzn-Bedrock-Content-Type");
  response.content_type = inner.empty() ? "application/json" : std::string(inner);
  check_json(response);
  if (is_converse() && response.is_json) {
    read_converse_body(*parsers_.body.object(), facts_);
  }
}

// facts/bedrock.md §3: a modeled exception carries its name in a header and {"message":..} as
// payload, any other error carries both in headers.
void RecordBuilder::take_stream_exception(const EventMessage& message) {
  std::string error = "{";
  const std::string_view kind = message.text(":message-type");
  append_json_member(error, "type", kind);
  const std::string_view code =
      message.text(kind == "exception" ? ":exception-type" : ":error-code");
  append_json_member(error, "code", code);
  if (!message.text(":error-message").empty()) {
    append_json_member(error, "message", message.text(":error-message"));
  }
  if (parsers_.payload.parse(message.payload, kLevelsAroundPayload)) {
    append_json_raw(error, "payload", message.payload);
  } else if (!message.payload.empty()) {
    append_json_member(error, "payload", storage::base64_encode(message.payload));
  }
  error += '}';
  if (!stream_errors_.empty()) {
    stream_errors_ += ',';
  }
  stream_errors_ += error;
  if (facts_.error_code.empty()) {
    facts_.error_code = code;
  }
}

void RecordBuilder::assemble_server_sent_events() {
  storage::Body& response = record_.response;
  SseDecoder decoder;
  OpenaiAssembler assembler(parsers_.payload, facts_);
  const auto take_events = [&] {
    while (const std::optional<std::string> data = decoder.next()) {
      assembler.add(*data);
    }
  };
  for (std::size_t at = 0; at < response.bytes.size(); at += kSlice) {
    decoder.feed(std::string_view(response.bytes).substr(at, kSlice));
    take_events();
  }
  decoder.finish();
  take_events();
  // That Bedrock ends each of these with [DONE] is not confirmed: a reason to stop is an end, too.
  if (is_openai() && !facts_.finished && facts_.stop_reason.empty()) {
    note_early_end(operation_ == Operation::responses
                       ? "before response.completed, response.incomplete or response.failed"
                       : "before a finish_reason or [DONE]");
  }
  if (is_openai() && facts_.finished) {
    note_own_end();
  }
  note_other_events("otherEvents", assembler.other_events());
  std::string body = assembler.body();
  if (body.empty()) {
    return;
  }
  response.bytes = std::move(body);
  response.content_type = "application/json";
  check_json(response);
}

void RecordBuilder::note_damaged_frame(const EventStreamDamage& damage) {
  note_damage("damage", damage);
  if (claims_success()) {
    note_failure("a frame of the stream is damaged: " + damage.cause);
  }
}

// What every whole event stream of this operation has and this one had not; "" nothing.
std::string RecordBuilder::missing_end(const ConverseAssembler& converse,
                                       std::size_t messages) const {
  if (operation_ == Operation::invoke_model_with_bidirectional_stream) {
    return "";  // who asks in a stream may end it at any time
  }
  if (messages == 0) {
    return "its first event";
  }
  if (is_converse()) {
    return std::string(converse.missing_event());
  }
  if (facts_.has_invocation_metrics) {
    return "";
  }
  if (!facts_.awaited_end.empty()) {
    return std::string(facts_.awaited_end);
  }
  // facts/bedrock.md §1.4: the last chunk holds them, whatever the model. One that says why it
  // stopped has ended, too.
  return facts_.finished || !facts_.stop_reason.empty() ? "" : "amazon-bedrock-invocationMetrics";
}

// `where`: after "the stream ended".
void RecordBuilder::note_early_end(std::string_view where) {
  if (claims_whole_success()) {
    append_json_member(details_, "stream", "ended early");
    note_failure("the stream ended " + std::string(where));
  }
}

// Some clients close at a stream's own end, and do not wait for that of HTTP's: nothing was cut.
void RecordBuilder::note_own_end() {
  if (invocation_.outcome == Outcome::client_closed && invocation_.all_passed_on &&
      !record_.response.truncated) {
    record_.outcome = to_string(Outcome::complete);
    invocation_.error.clear();
  }
}

void RecordBuilder::note_failed_coding() {
  using Kind = ContentFailure::Kind;
  if (coding_failure_.kind == Kind::ends_early) {
    note_early_end("within its content coding");
  } else if (coding_failure_.kind == Kind::damaged && claims_whole_success()) {
    note_failure("the stream's content coding is damaged: " + coding_failure_.cause);
  }
}

// Of a stream that was passed on to its end; what else cut it short is in the outcome, and what
// the service says of itself in the error code.
bool RecordBuilder::claims_success() const {
  return invocation_.outcome == Outcome::complete && record_.status < 400 &&
         facts_.error_code.empty();
}

// The same, and all of it is here.
bool RecordBuilder::claims_whole_success() const {
  return claims_success() && !record_.response.truncated;
}

// Capture saw a response that ended as HTTP's do, and could not know better.
void RecordBuilder::note_failure(const std::string& error) {
  record_.outcome = to_string(Outcome::upstream_closed);
  append_json_member(details_, "error", error);
}

void RecordBuilder::bound(const char* name, std::string& text, std::size_t most) {
  if (text.size() > most) {
    append_json_number(overlong_, name, static_cast<long long>(text.size()));
  }
  text = label_text(text, most);
}

// All that somebody else chose: a label stays in the store for good, and a row has no place for an
// id of any length.
void RecordBuilder::bound_texts() {
  if (record_.request_metadata.size() > kMostMetadataBytes) {  // a part of it would be no JSON
    append_json_number(overlong_, "requestMetadata",
                       static_cast<long long>(record_.request_metadata.size()));
    record_.request_metadata = {};
  }
  bound("requestId", record_.request_id, kMostIdentifierBytes);
  bound("sdkInvocationId", record_.sdk_invocation_id, kMostIdentifierBytes);
  bound("model", record_.model_id, kMostIdBytes);
  bound("profile", record_.profile, kMostIdBytes);
  bound("identity", record_.identity_arn, kMostIdBytes);
  bound("callerExecutable", record_.caller_executable, kMostPathBytes);
  bound("caller", record_.caller, kMostWordBytes);
  bound("error", record_.error_code, kMostWordBytes);
  bound("stopReason", record_.stop_reason, kMostWordBytes);
  bound("inputContentType", record_.request.content_type, kMostWordBytes);
  bound("outputContentType", record_.response.content_type, kMostWordBytes);
}

void RecordBuilder::finish_details() {
  if (!invocation_.error.empty()) {
    append_json_member(details_, "error", invocation_.error);
  }
  if (overlong_.size() > 1) {
    append_json_raw(details_, "overlong", overlong_ + "}");
  }
  if (!stream_errors_.empty()) {
    append_json_raw(details_, "streamErrors", "[" + stream_errors_ + "]");
  }
  if (details_.size() > 1) {
    record_.details = std::move(details_) + "}";
  }
}

}  // namespace

storage::Record take_record(Invocation& invocation) {
  thread_local Parsers parsers;
  storage::Record record = RecordBuilder(invocation, parsers).build();
  parsers.trim();
  return record;
}

storage::Record build_record(Invocation invocation) {
  return take_record(invocation);
}

}  // namespace invlog::bedrock
