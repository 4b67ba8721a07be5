#include "agent/bedrock/record_builder.h"

#include "agent/bedrock/json_text.h"
#include "tests/catch.h"
#include "tests/contains.h"
#include "tests/unit/agent/bedrock/compressed.h"
#include "tests/unit/agent/bedrock/event_frames.h"

using namespace invlog;
using namespace invlog::bedrock;
using namespace invlog::tests;

namespace {

Invocation converse() {
  Invocation invocation;
  invocation.started_at_us = 1700000000000001;
  invocation.duration_us = 250;
  invocation.first_byte_us = 200;
  invocation.method = "POST";
  invocation.target = "/model/eu.amazon.nova-2-lite-v1%3A0/converse";
  invocation.request_headers = {{"Content-Type", "application/json"},
                                {"amz-sdk-invocation-id", "sdk-1"}};
  invocation.request.bytes = "{\"messages\":[]}";
  invocation.status = 200;
  invocation.response_headers = {{"Content-Type", "application/json"},
                                 {"x-amzn-RequestId", "request-1"}};
  invocation.response.bytes =
      "{\"stopReason\":\"end_turn\",\"usage\":{\"inputTokens\":1,\"outputTokens\":2}}";
  return invocation;
}

Invocation stream(const char* operation, std::string bytes) {
  Invocation invocation = converse();
  invocation.target = std::string("/model/m/") + operation;
  invocation.response_headers = {{"Content-Type", "application/vnd.amazon.eventstream"},
                                 {"x-amzn-RequestId", "request-1"}};
  invocation.response.bytes = std::move(bytes);
  return invocation;
}

Invocation openai(const std::string& content_type, std::string bytes) {
  Invocation invocation = converse();
  invocation.target = "/openai/v1/chat/completions";
  invocation.request.bytes = "{\"model\":\"openai.gpt-oss-20b-1:0\",\"messages\":[]}";
  invocation.response_headers = {{"Content-Type", content_type}};
  invocation.response.bytes = std::move(bytes);
  return invocation;
}

const std::string kStart = event("messageStart", "{\"role\":\"assistant\"}");
const std::string kDelta =
    event("contentBlockDelta", "{\"contentBlockIndex\":0,\"delta\":{\"text\":\"hi\"}}");
const std::string kStop = event("messageStop", "{\"stopReason\":\"end_turn\"}");
const std::string kMetadata =
    event("metadata", "{\"usage\":{\"inputTokens\":3,\"outputTokens\":4},\"p\":\"ab\"}");

}  // namespace

TEST_CASE("ids that anybody may choose are cut, and that is said") {
  Invocation invocation = converse();
  invocation.request_headers.back().second = std::string(60000, 's');
  invocation.response_headers.back().second = std::string(300, 'r');
  const storage::Record record = build_record(std::move(invocation));
  CHECK(record.sdk_invocation_id == std::string(256, 's'));
  CHECK(record.request_id == std::string(256, 'r'));
  CHECK(record.details == "{\"overlong\":{\"requestId\":300,\"sdkInvocationId\":60000}}");
}

TEST_CASE("a Converse call becomes a record") {
  Invocation invocation = converse();
  invocation.identity_arn = "arn:aws:iam::012345678901:role/app";
  invocation.caller = {0, 42, "/usr/bin/python3.11", "root"};
  const storage::Record record = build_record(invocation);
  CHECK(record.started_at_us == 1700000000000001);
  CHECK(record.duration_us == 250);
  CHECK(record.first_byte_us == 200);
  CHECK(record.operation == "Converse");
  CHECK(record.model_id == "eu.amazon.nova-2-lite-v1:0");
  CHECK(record.request_id == "request-1");
  CHECK(record.sdk_invocation_id == "sdk-1");
  CHECK(record.outcome == "complete");
  CHECK(record.status == 200);
  CHECK(record.error_code.empty());
  CHECK(record.stop_reason == "end_turn");
  CHECK(record.input_tokens == 1);
  CHECK(record.output_tokens == 2);
  CHECK_FALSE(record.stream);
  CHECK(record.identity_arn == "arn:aws:iam::012345678901:role/app");
  CHECK(record.caller == "root");
  CHECK(record.caller_pid == 42);
  CHECK(record.caller_executable == "/usr/bin/python3.11");
  CHECK(record.request.bytes == invocation.request.bytes);
  CHECK(record.request.is_json);
  CHECK(record.request.content_type == "application/json");
  CHECK(record.response.bytes == invocation.response.bytes);
  CHECK(record.response.is_json);
  CHECK(record.details.empty());
  CHECK(record.profile.empty());
  CHECK(record.scope.empty());
  CHECK(record.inference_region.empty());
}

TEST_CASE("what is not known stays empty") {
  Invocation invocation;
  invocation.method = "POST";
  invocation.target = "/model/m/converse";
  invocation.outcome = Outcome::upstream_closed;
  invocation.error = "connect to bedrock: \"refused\"";
  const storage::Record record = build_record(invocation);
  CHECK(record.outcome == "upstream-closed");
  CHECK(record.status == 0);
  CHECK_FALSE(record.input_tokens);
  CHECK(record.caller.empty());
  CHECK_FALSE(record.caller_pid);
  CHECK(record.request.content_type.empty());
  CHECK_FALSE(record.request.is_json);
  CHECK_FALSE(record.response.is_json);
  CHECK(record.details == "{\"error\":\"connect to bedrock: \\\"refused\\\"\"}");
}

TEST_CASE("the record says of a call that no byte of it was sent") {
  Invocation invocation = converse();
  invocation.not_sent = true;
  CHECK(build_record(invocation).details == "{\"sent\":false}");
}

TEST_CASE("the caller is named as capture found out, and nobody else is asked") {
  Invocation invocation = converse();
  invocation.caller.uid = 0;
  invocation.caller.name = "ci-7";
  CHECK(build_record(invocation).caller == "ci-7");
  invocation.caller.name.clear();
  CHECK(build_record(invocation).caller == "0");
}

TEST_CASE("one invocation's body is never taken for another's") {
  Invocation first = converse();
  first.request.bytes =
      "{\"usage\":{\"inputTokens\":77},\"stopReason\":\"forged\",\"requestMetadata\":{\"a\":\"b\"}"
      "}";
  first.response.bytes.clear();
  CHECK(build_record(first).stop_reason.empty());
  CHECK_FALSE(build_record(first).input_tokens);
  Invocation second = stream("converse-stream", exception("throttlingException", "{}"));
  second.request.bytes = first.request.bytes;
  CHECK(build_record(second).stop_reason.empty());
  CHECK_FALSE(build_record(second).input_tokens);
  CHECK(build_record(converse()).request_metadata.empty());
}

TEST_CASE("a ConverseStream is assembled") {
  const storage::Record record =
      build_record(stream("converse-stream", kStart + kDelta + kStop + kMetadata));
  CHECK(record.operation == "ConverseStream");
  CHECK(record.stream);
  CHECK(record.response.bytes ==
        "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"text\":\"hi\"}]}},"
        "\"stopReason\":\"end_turn\",\"usage\":{\"inputTokens\":3,\"outputTokens\":4}}");
  CHECK(record.response.content_type == "application/json");
  CHECK(record.response.is_json);
  CHECK(record.input_tokens == 3);
  CHECK(record.output_tokens == 4);
  CHECK(record.stop_reason == "end_turn");
  CHECK(record.details.empty());
}

TEST_CASE("an InvokeModelWithResponseStream becomes an array of chunks") {
  Invocation invocation =
      stream("invoke-with-response-stream",
             chunk("{\"outputText\":\"a\",\"completionReason\":\"FINISH\","
                   "\"amazon-bedrock-invocationMetrics\":{\"inputTokenCount\":7,"
                   "\"outputTokenCount\":11}}"));
  invocation.response_headers.emplace_back("X-Amzn-Bedrock-Content-Type", "application/json");
  const storage::Record record = build_record(invocation);
  CHECK(record.response.bytes.substr(0, 20) == "[{\"outputText\":\"a\",\"");
  CHECK(record.response.is_json);
  CHECK(record.response.content_type == "application/json");
  CHECK(record.input_tokens == 7);
  CHECK(record.output_tokens == 11);
  CHECK(record.stop_reason == "FINISH");
  CHECK(record.details.empty());
}

TEST_CASE("a stream of Anthropic's that is cut has the tokens that it told until then") {
  const std::string start = chunk(
      "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":505,"
      "\"cache_creation_input_tokens\":7,\"cache_read_input_tokens\":9,"
      "\"output_tokens\":1}}}");
  const auto record_of = [](const std::string& chunks) {
    Invocation invocation = stream("invoke-with-response-stream", chunks);
    invocation.outcome = Outcome::client_closed;
    return build_record(invocation);
  };
  const storage::Record begun = record_of(start);
  CHECK(begun.input_tokens == 505);
  CHECK(begun.cache_read_tokens == 9);
  CHECK(begun.cache_write_tokens == 7);
  CHECK_FALSE(begun.output_tokens.has_value());
  const std::string delta = chunk(
      "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},"
      "\"usage\":{\"output_tokens\":42}}");
  CHECK(record_of(start + delta).input_tokens == 505);
  CHECK(record_of(start + delta).output_tokens == 42);
  // The service's own count stands for all of them.
  const storage::Record whole =
      record_of(start + delta +
                chunk("{\"type\":\"message_stop\",\"amazon-bedrock-invocationMetrics\":{"
                      "\"inputTokenCount\":506,\"outputTokenCount\":43}}"));
  CHECK(whole.input_tokens == 506);
  CHECK(whole.output_tokens == 43);
  CHECK_FALSE(whole.cache_read_tokens.has_value());
}

TEST_CASE("an exception within the stream is the record's error code") {
  const storage::Record record = build_record(stream(
      "converse-stream",
      kStart + kDelta + exception("throttlingException", "{\"message\":\"Too many tokens\"}")));
  CHECK(record.outcome == "complete");
  CHECK(record.error_code == "throttlingException");
  CHECK(record.response.bytes ==
        "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"text\":\"hi\"}]}}}");
  CHECK(record.details ==
        "{\"streamErrors\":[{\"type\":\"exception\",\"code\":\"throttlingException\",\"payload\":"
        "{\"message\":\"Too many tokens\"}}]}");
}

TEST_CASE("an unmodeled error within the stream is, too") {
  const storage::Record record = build_record(
      stream("invoke-with-response-stream",
             chunk("{\"a\":1}") + message(text_header(":message-type", "error") +
                                              text_header(":error-code", "InternalError") +
                                              text_header(":error-message", "went \"wrong\""),
                                          "")));
  CHECK(record.error_code == "InternalError");
  CHECK(record.response.bytes == "[{\"a\":1}]");
  CHECK(record.details ==
        "{\"streamErrors\":[{\"type\":\"error\",\"code\":\"InternalError\",\"message\":\"went "
        "\\\"wrong\\\"\"}]}");
}

TEST_CASE("an exception as the only message leaves no body") {
  const storage::Record record =
      build_record(stream("converse-stream", exception("validationException", "no json")));
  CHECK(record.response.bytes.empty());
  CHECK_FALSE(record.response.is_json);
  CHECK(record.error_code == "validationException");
  CHECK(record.details ==
        "{\"streamErrors\":[{\"type\":\"exception\",\"code\":\"validationException\",\"payload\":"
        "\"bm8ganNvbg==\"}]}");
}

TEST_CASE("a stream that ends early says so and keeps the bytes it could not decode") {
  const std::string cut = kStop.substr(0, 20);
  const auto check = [](const storage::Record& record, const std::string& how,
                        const std::string& more = "") {
    INFO(how);
    CHECK(record.outcome == "upstream-closed");
    CHECK(record.status == 200);
    CHECK(record.error_code.empty());
    CHECK(record.details ==
          "{\"stream\":\"ended early\",\"error\":\"the stream ended " + how + "\"" + more + "}");
  };
  const std::string undecoded = ",\"undecoded\":\"" + storage::base64_encode(cut) + "\"";
  check(build_record(stream("converse-stream", kStart + kDelta + cut)), "within a frame",
        undecoded);
  check(build_record(stream("converse-stream", kStart + kDelta)), "before messageStop");
  check(build_record(stream("converse-stream", kStart + kStop)), "before metadata");
  check(build_record(stream("converse-stream", kStart + kMetadata)), "before messageStop");
  check(build_record(stream("converse-stream", "")), "before its first event");
  check(build_record(stream("invoke-with-response-stream", "")), "before its first event");
  check(build_record(stream("invoke-with-response-stream", chunk("{}") + cut)), "within a frame",
        undecoded);
}

TEST_CASE("a model's own stream ended early if it said how it ends, and did not") {
  const auto outcome = [](const std::string& chunks) {
    return build_record(stream("invoke-with-response-stream", chunks)).outcome;
  };
  const std::string metrics =
      chunk("{\"amazon-bedrock-invocationMetrics\":{\"inputTokenCount\":1}}");
  const std::string anthropic = chunk("{\"type\":\"message_start\",\"message\":{}}");
  const std::string nova = chunk("{\"messageStart\":{\"role\":\"assistant\"}}");
  CHECK(outcome(anthropic) == "upstream-closed");
  CHECK(outcome(anthropic + chunk("{\"type\":\"message_stop\"}")) == "complete");
  CHECK(outcome(anthropic + metrics) == "complete");
  CHECK(outcome(nova) == "upstream-closed");
  CHECK(outcome(nova + chunk("{\"messageStop\":{\"stopReason\":\"end_turn\"}}")) == "complete");
  CHECK(outcome(nova + metrics) == "complete");
  CHECK(build_record(stream("invoke-with-response-stream", anthropic)).details ==
        "{\"stream\":\"ended early\",\"error\":\"the stream ended before message_stop\"}");
  // What is not known to have an end of its own has the service's.
  const std::string llama = chunk("{\"generation\":\"a\",\"stop_reason\":null}");
  CHECK(outcome(llama) == "upstream-closed");
  CHECK(outcome(llama + metrics) == "complete");
  CHECK(outcome(llama + chunk("{\"generation\":\"\",\"stop_reason\":\"stop\"}")) == "complete");
  CHECK(build_record(stream("invoke-with-response-stream", llama)).details ==
        "{\"stream\":\"ended early\",\"error\":\"the stream ended before "
        "amazon-bedrock-invocationMetrics\"}");
  CHECK(build_record(stream("invoke-with-bidirectional-stream", "")).outcome == "complete");
}

TEST_CASE("a stream that the outcome says was cut keeps its bytes without more words") {
  Invocation invocation = stream("converse-stream", kStart + kDelta);
  invocation.outcome = Outcome::client_closed;
  const storage::Record record = build_record(invocation);
  CHECK(record.outcome == "client-closed");
  CHECK(record.details.empty());
  CHECK(record.response.is_json);
}

TEST_CASE("a client that leaves at a stream's own end, all of it written to it, cut nothing") {
  const auto left = [](Invocation invocation) {
    invocation.outcome = Outcome::client_closed;
    invocation.error = "the client closed";
    invocation.all_passed_on = true;
    return invocation;
  };
  const auto is_complete = [](const Invocation& invocation) {
    const storage::Record record = build_record(invocation);
    const bool complete = record.outcome == "complete";
    CHECK((complete || record.outcome == "client-closed"));
    CHECK((record.details.find("\"error\":\"the client closed\"") == std::string::npos) ==
          complete);
    return complete;
  };
  const std::string whole = kStart + kDelta + kStop + kMetadata;
  const std::string metrics =
      chunk("{\"amazon-bedrock-invocationMetrics\":{\"inputTokenCount\":1}}");
  const std::string stopped = "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n";
  const std::string done = stopped + "data: [DONE]\n\n";
  CHECK(is_complete(left(stream("converse-stream", whole))));
  CHECK_FALSE(is_complete(left(stream("converse-stream", kStart + kDelta + kStop))));
  CHECK(is_complete(left(stream("invoke-with-response-stream", metrics))));
  CHECK_FALSE(is_complete(left(stream("invoke-with-response-stream",
                                      chunk("{\"generation\":\"a\",\"stop_reason\":\"b\"}")))));
  CHECK_FALSE(is_complete(left(stream("invoke-with-bidirectional-stream", chunk("{}")))));
  CHECK(is_complete(left(openai("text/event-stream", done))));
  CHECK_FALSE(is_complete(left(openai("text/event-stream", stopped))));
  for (Invocation invocation :
       {stream("converse-stream", whole), openai("text/event-stream", done)}) {
    Invocation unwritten = left(invocation);
    unwritten.all_passed_on = false;
    CHECK_FALSE(is_complete(unwritten));
    Invocation truncated = left(invocation);
    truncated.response.truncated = true;
    truncated.response.total = truncated.response.bytes.size() + 1;
    CHECK(build_record(truncated).outcome == "client-closed");
  }
}

TEST_CASE("damage says where and why, and everything behind it is kept") {
  std::string damaged = kDelta;
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  const std::string rest = damaged + kStop + kMetadata;
  const storage::Record record = build_record(stream("converse-stream", kStart + rest));
  CHECK(record.details == "{\"damage\":{\"offset\":" + std::to_string(kStart.size()) +
                              ",\"cause\":\"message checksum does not match\"},\"error\":\"a frame "
                              "of the stream is damaged: message checksum does not match\","
                              "\"undecoded\":\"" +
                              storage::base64_encode(rest) + "\"}");
  CHECK(record.outcome == "upstream-closed");
  CHECK(record.response.bytes ==
        "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[]}}}");
  CHECK_FALSE(record.input_tokens);
}

TEST_CASE("a stream of which nothing can be decoded is kept as it came") {
  const std::string garbage = "this is not an event stream at all";
  const storage::Record record = build_record(stream("converse-stream", garbage));
  CHECK(record.response.bytes == garbage);
  CHECK(record.response.content_type == "application/vnd.amazon.eventstream");
  CHECK_FALSE(record.response.is_json);
  CHECK(record.details ==
        "{\"damage\":{\"offset\":0,\"cause\":\"prelude checksum does not match\"},\"error\":\"a "
        "frame of the stream is damaged: prelude checksum does not match\"}");
  CHECK(record.outcome == "upstream-closed");
}

TEST_CASE("a stream larger than the decoder's slices is assembled whole") {
  std::string bytes = kStart;
  std::string text;
  for (int count = 0; count < 300; ++count) {
    const std::string piece(1000, static_cast<char>('a' + count % 26));
    text += piece;
    bytes += event("contentBlockDelta",
                   "{\"contentBlockIndex\":0,\"delta\":{\"text\":\"" + piece + "\"}}");
  }
  const storage::Record record = build_record(stream("converse-stream", bytes + kStop + kMetadata));
  CHECK(record.response.bytes.find("[{\"text\":\"" + text + "\"}]") != std::string::npos);
  CHECK(record.details.empty());
}

TEST_CASE("an HTTP error has its code from header or body") {
  Invocation invocation = converse();
  invocation.target = "/model/m/converse-stream";
  invocation.status = 400;
  invocation.response.bytes = "{\"message\":\"The provided model identifier is invalid.\"}";
  invocation.response_headers.emplace_back("x-amzn-ErrorType", "ValidationException:http://x/");
  storage::Record record = build_record(invocation);
  CHECK(record.error_code == "ValidationException");
  CHECK_FALSE(record.stream);
  CHECK(record.operation == "ConverseStream");
  CHECK(record.response.bytes == invocation.response.bytes);
  invocation.response_headers.pop_back();
  invocation.response.bytes = "{\"__type\":\"ns#ThrottlingException\",\"stopReason\":\"no\"}";
  record = build_record(invocation);
  CHECK(record.error_code == "ThrottlingException");
  CHECK(record.stop_reason.empty());
}

TEST_CASE("of an error that repeats the signed request the record has no credential, and says so") {
  const std::string start = "{\"message\":\"It does not match.\\n\\n";
  const std::string error =
      start + "The Canonical String for this request should have been\\n'POST\\n/\\n\\n" +
      "x-amz-security-token:TOKEN\\n'\",\"__type\":\"ns#InvalidSignatureException\"}";
  const std::string note = "\"responseCut\":\"the signed request that the service repeated\"}";
  Invocation invocation = converse();
  invocation.status = GENERATE(400, 403);
  invocation.response.bytes = error;
  storage::Record record = build_record(invocation);
  CHECK(record.response.bytes.starts_with(start));
  CHECK(!contains(record.response.bytes, "TOKEN"));
  CHECK(record.response.is_json);
  CHECK(record.error_code == "InvalidSignatureException");
  CHECK(record.details == "{" + note);

  invocation.response.bytes = gzip(error);
  invocation.response_headers.emplace_back("Content-Encoding", "gzip");
  record = build_record(invocation);
  CHECK(record.response.bytes.starts_with(start));
  CHECK(!contains(record.response.bytes, "TOKEN"));
  CHECK(record.details == "{\"responseContentEncoding\":\"gzip\"," + note);
}

TEST_CASE("of an error that was cut within the signed request, none of that is kept") {
  Invocation invocation = converse();
  invocation.status = 403;
  invocation.response.bytes = "{\"message\":\"No. The Canonical String x-amz-security-token:TOK";
  invocation.response.total = 900;
  invocation.response.truncated = true;
  const storage::Record record = build_record(std::move(invocation));
  CHECK(record.response.bytes.starts_with("{\"message\":\"No. "));
  CHECK(!contains(record.response.bytes, "TOK"));
  CHECK(record.response.truncated);
}

TEST_CASE("what a model answers is kept, whatever it speaks of") {
  Invocation invocation = converse();
  invocation.response.bytes = "{\"text\":\"The Canonical String of Authorization=x\"}";
  const std::string answer = invocation.response.bytes;
  const storage::Record record = build_record(std::move(invocation));
  CHECK(record.response.bytes == answer);
  CHECK(record.details.empty());
}

TEST_CASE("request metadata comes from Converse's body or InvokeModel's header") {
  Invocation invocation = converse();
  invocation.request.bytes =
      "{\"messages\":[],\"requestMetadata\":{ \"team\" : \"a b\",\n \"env\":\"x\" }}";
  CHECK(build_record(invocation).request_metadata == "{\"team\":\"a b\",\"env\":\"x\"}");
  invocation.target = "/model/m/invoke";
  CHECK(build_record(invocation).request_metadata.empty());
  invocation.request_headers.emplace_back("x-amzn-bedrock-request-metadata", "{\"k\": \"v\"}");
  CHECK(build_record(invocation).request_metadata == "{\"k\":\"v\"}");
  for (const char* bad : {"[1]", "\"text\"", "{\"k\":", "nonsense", "5"}) {
    INFO(bad);
    invocation.request_headers.back().second = bad;
    CHECK(build_record(invocation).request_metadata.empty());
  }
  invocation.target = "/model/m/converse";
  invocation.request_headers.pop_back();
  invocation.request.bytes = "{\"requestMetadata\":[1]}";
  CHECK(build_record(invocation).request_metadata.empty());
}

TEST_CASE("metadata larger than AWS takes is no label, and details say so") {
  Invocation invocation = converse();
  const auto with_value = [](std::size_t bytes) {
    return "{\"requestMetadata\":{\"k\":\"" + std::string(bytes, 'x') + "\"}}";
  };
  invocation.request.bytes = with_value(16 * 1024 - 8);
  storage::Record record = build_record(invocation);
  CHECK(record.request_metadata.size() == 16 * 1024);
  CHECK(record.details.empty());
  invocation.request.bytes = with_value(16 * 1024 - 7);
  record = build_record(invocation);
  CHECK(record.request_metadata.empty());
  CHECK(record.details == "{\"overlong\":{\"requestMetadata\":16385}}");
  CHECK(record.request.bytes == invocation.request.bytes);
}

TEST_CASE("a text that somebody else chose is cut before it becomes a label") {
  const std::string large(1'000'000, 'x');
  Invocation invocation = openai("application/json; " + large, "{}");
  invocation.request_headers = {{"content-type", "text/" + large}};
  invocation.request.bytes = "{\"model\":\"" + large + "\"}";
  invocation.response.bytes = "{\"choices\":[{\"finish_reason\":\"" + large +
                              "\"}],\"error\":{\"code\":\"" + large + "\"}}";
  invocation.residency.profile = large;
  const storage::Record record = build_record(invocation);
  CHECK(record.model_id == large.substr(0, 2048));
  CHECK(record.profile.size() == 2048);
  CHECK(record.error_code == large.substr(0, 256));
  CHECK(record.stop_reason == large.substr(0, 256));
  CHECK(record.request.content_type.size() == 256);
  CHECK(record.response.content_type.size() == 256);
  CHECK(record.request.bytes == invocation.request.bytes);
  CHECK(record.details ==
        "{\"overlong\":{\"model\":1000000,\"profile\":1000000,\"error\":1000000,"
        "\"stopReason\":1000000,\"inputContentType\":1000005,\"outputContentType\":1000018}}");
  invocation.request.bytes = "{\"model\":\"" + std::string(2047, 'x') + "\u00e9\"}";
  CHECK(build_record(invocation).model_id == std::string(2047, 'x'));
}

TEST_CASE("control characters of a text that somebody else chose are percent-encoded") {
  Invocation invocation = openai("text/x\x1b[2K", "{}");
  invocation.status = 400;
  invocation.request.bytes = R"({"model":"gpt\u0000\u001b]0;owned\u0007"})";
  invocation.response.bytes = R"({"error":{"code":"bad\u001b[31m"}})";
  storage::Record record = build_record(invocation);
  CHECK(record.model_id == "gpt%00%1B]0;owned%07");
  CHECK(record.error_code == "bad%1B[31m");
  CHECK(record.response.content_type == "text/x%1B[2K");
  CHECK(record.details.empty());
  invocation.status = 200;
  invocation.request.bytes = R"({"model":"\u009b31m"})";
  invocation.response.bytes = R"({"choices":[{"finish_reason":"a\nb"}]})";
  record = build_record(invocation);
  CHECK(record.model_id == "%C2%9B31m");
  CHECK(record.stop_reason == "a%0Ab");
  invocation.request.bytes = "{\"model\":\"mod\u00e8le\"}";
  CHECK(build_record(invocation).model_id == "mod\u00e8le");
}

TEST_CASE("an error at a nesting that details cannot take is kept as base64") {
  const auto built = [](std::size_t levels) {
    const std::string payload = std::string(levels, '[') + std::string(levels, ']');
    return build_record(stream("converse-stream", exception("deepException", payload)));
  };
  JsonText text;
  for (const std::size_t levels : {997, 998, 1000}) {
    INFO(levels);
    const storage::Record record = built(levels);
    CHECK(text.parse(record.details));
    CHECK(contains(record.details, "\"payload\":[") == (levels == 997));
    CHECK(record.error_code == "deepException");
  }
}

TEST_CASE("InvokeModel's parameters that are only headers are in details") {
  Invocation invocation = converse();
  invocation.target = "/model/m/invoke";
  invocation.request_headers.emplace_back("X-Amzn-Bedrock-GuardrailIdentifier", "g-1");
  invocation.request_headers.emplace_back("x-amzn-bedrock-service-tier", "flex");
  CHECK(build_record(invocation).details ==
        "{\"requestParameters\":{\"guardrailIdentifier\":\"g-1\",\"serviceTier\":\"flex\"}}");
}

TEST_CASE("compressed bodies are decoded and their coding is said") {
  Invocation invocation = converse();
  const std::string response = invocation.response.bytes, request = invocation.request.bytes;
  invocation.response.bytes = gzip(response);
  invocation.response_headers.emplace_back("Content-Encoding", "gzip");
  invocation.request.bytes = brotli(request);
  invocation.request_headers.emplace_back("content-encoding", "br");
  const storage::Record record = build_record(invocation);
  CHECK(record.request.bytes == request);
  CHECK(record.response.bytes == response);
  CHECK(record.response.is_json);
  CHECK(record.input_tokens == 1);
  CHECK(record.details ==
        "{\"requestContentEncoding\":\"br\",\"responseContentEncoding\":\"gzip\"}");
}

TEST_CASE("a compressed event stream is decoded, too") {
  Invocation invocation = stream("converse-stream", zstd(kStart + kDelta + kStop + kMetadata));
  invocation.response_headers.emplace_back("Content-Encoding", "zstd");
  const storage::Record record = build_record(invocation);
  CHECK(record.input_tokens == 3);
  CHECK(record.response.is_json);
}

TEST_CASE("a compressed stream that ends early says so, whatever it is a stream of") {
  const std::string whole = zstd(kStart + kDelta + kStop + kMetadata);
  Invocation invocation = stream("converse-stream", std::string(whole.substr(0, whole.size() - 1)));
  invocation.response_headers.emplace_back("Content-Encoding", "zstd");
  const auto check = [](Invocation& early) {
    const storage::Record record = build_record(early);
    CHECK(record.outcome == "upstream-closed");
    CHECK(contains(record.details, "the stream ended within its content coding"));
  };
  Invocation events = invocation;
  check(events);
  Invocation sse = openai("text/event-stream", std::string(whole.substr(0, whole.size() - 1)));
  sse.response_headers.emplace_back("Content-Encoding", "zstd");
  check(sse);
  Invocation damaged = invocation;
  damaged.response.bytes = whole;
  damaged.response.bytes[0] ^= 1;
  const storage::Record record = build_record(damaged);
  CHECK(record.outcome == "upstream-closed");
  CHECK(contains(record.details, "the stream's content coding is damaged: zstd: "));
  // What is no stream is not known to have ended early: it has no end that it lacks.
  Invocation plain = converse();
  plain.response.bytes = whole.substr(0, whole.size() - 1);
  plain.response_headers.emplace_back("Content-Encoding", "zstd");
  CHECK(build_record(plain).outcome == "complete");
  // Nor is what nobody here can read.
  Invocation unknown = stream("converse-stream", "abc");
  unknown.response_headers.emplace_back("Content-Encoding", "compress");
  CHECK(build_record(unknown).outcome == "complete");
}

TEST_CASE("token counts that nothing can have are not taken") {
  Invocation invocation = converse();
  invocation.response.bytes =
      R"({"usage":{"inputTokens":9223372036854775807,"outputTokens":1000000000000}})";
  invocation.response_headers.emplace_back("X-Amzn-Bedrock-Cache-Read-Input-Token-Count",
                                           "1000000000001");
  const storage::Record record = build_record(invocation);
  CHECK_FALSE(record.input_tokens);
  CHECK(record.output_tokens == 1'000'000'000'000);
  CHECK_FALSE(record.cache_read_tokens);
}

TEST_CASE("a body whose coding cannot be removed is kept as it is") {
  Invocation invocation = converse();
  invocation.response_headers.emplace_back("Content-Encoding", "gzip");
  const storage::Record record = build_record(invocation);
  CHECK(record.response.bytes == invocation.response.bytes);
  CHECK_FALSE(record.response.is_json);
  CHECK_FALSE(record.input_tokens);
  CHECK(record.details ==
        "{\"responseContentEncoding\":\"gzip\",\"responseContentError\":\"gzip: incorrect header "
        "check\"}");
}

TEST_CASE("truncated bodies say how much passed") {
  Invocation invocation = converse();
  invocation.request.bytes = "{\"messages\":[{\"ro";
  invocation.request.truncated = true;
  invocation.request.total = 5000000000;
  const storage::Record record = build_record(invocation);
  CHECK(record.request.truncated);
  CHECK_FALSE(record.request.is_json);
  CHECK(record.request.bytes == invocation.request.bytes);
  CHECK(record.details == "{\"requestBytes\":5000000000}");
  Invocation cut = stream("converse-stream", kStart + kDelta.substr(0, 30));
  cut.response.truncated = true;
  cut.response.total = 999;
  CHECK(build_record(cut).details == "{\"responseBytes\":999,\"undecoded\":\"" +
                                         storage::base64_encode(kDelta.substr(0, 30)) + "\"}");
  CHECK(build_record(cut).outcome == "complete");  // it is only the record that has not all of it
}

TEST_CASE("bodies that are not JSON are kept byte for byte") {
  Invocation invocation = converse();
  invocation.request.bytes = std::string("\xFF\x00\x01 not utf-8", 13);
  invocation.request_headers = {{"Content-Type", "application/octet-stream"}};
  invocation.response.bytes = "<html>bad gateway</html>";
  invocation.response_headers = {{"content-type", "text/html"}};
  invocation.status = 502;
  const storage::Record record = build_record(invocation);
  CHECK(record.request.bytes == invocation.request.bytes);
  CHECK(record.request.content_type == "application/octet-stream");
  CHECK_FALSE(record.request.is_json);
  CHECK(record.response.bytes == invocation.response.bytes);
  CHECK(record.response.content_type == "text/html");
  CHECK_FALSE(record.response.is_json);
}

TEST_CASE("a JSON request without a content type has the one it is") {
  Invocation invocation = converse();
  invocation.request_headers.clear();
  CHECK(build_record(invocation).request.content_type == "application/json");
}

TEST_CASE("half a surrogate pair in a name hides nothing else of a body") {
  Invocation invocation = openai(
      "application/json", R"({"\ud800":{"\ud800":1},"usage":{"\udc00":0,"prompt_tokens":5}})");
  invocation.request.bytes = R"({"\ud800":1,"model":"m","messages":[{"\ud800":2}]})";
  const storage::Record record = build_record(invocation);
  CHECK(record.request.is_json);
  CHECK(record.request.bytes == invocation.request.bytes);
  CHECK(record.model_id == "m");
  CHECK(record.response.is_json);
  CHECK(record.response.bytes == invocation.response.bytes);
  CHECK(record.input_tokens == 5);
}

TEST_CASE("OpenAI-compatible calls name their model in the body") {
  const storage::Record record = build_record(
      openai("application/json",
             "{\"choices\":[{\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,"
             "\"completion_tokens\":6}}"));
  CHECK(record.operation == "ChatCompletions");
  CHECK(record.model_id == "openai.gpt-oss-20b-1:0");
  CHECK(record.input_tokens == 5);
  CHECK(record.output_tokens == 6);
  CHECK(record.stop_reason == "stop");
  CHECK_FALSE(record.stream);
}

TEST_CASE("OpenAI-compatible streams become an array of their events") {
  const storage::Record record = build_record(
      openai("text/event-stream; charset=utf-8",
             ": hi\r\n\r\ndata: {\"choices\":[{\"finish_reason\":\"stop\"}]}\r\n\r\ndata: "
             "{\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":6}}\r\n\r\n"
             "data: [DONE]\r\n\r\n"));
  CHECK(record.stream);
  CHECK(
      record.response.bytes ==
      "[{\"choices\":[{\"finish_reason\":\"stop\"}]},{\"choices\":[],\"usage\":{\"prompt_tokens\":"
      "5,\"completion_tokens\":6}}]");
  CHECK(record.response.content_type == "application/json");
  CHECK(record.response.is_json);
  CHECK(record.input_tokens == 5);
  CHECK(record.details.empty());
  const storage::Record cut =
      build_record(openai("text/event-stream", "data: {\"choices\":[]}\n\ndata: {\"cho"));
  CHECK(cut.response.bytes == "[{\"choices\":[]},\"{\\\"cho\"]");
  CHECK(cut.details ==
        "{\"stream\":\"ended early\",\"error\":\"the stream ended before a finish_reason or "
        "[DONE]\"}");
  CHECK(cut.outcome == "upstream-closed");
  CHECK(record.outcome == "complete");
}

TEST_CASE("OpenAI-compatible streams are complete with the end of their own protocol") {
  const auto built = [](const char* target, const std::string& bytes) {
    Invocation invocation = openai("text/event-stream", bytes);
    invocation.target = target;
    return build_record(invocation);
  };
  const char* const chat = "/openai/v1/chat/completions";
  const char* const responses = "/openai/v1/responses";
  CHECK(built(chat, "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n").outcome ==
        "complete");
  CHECK(built(chat, "data: {\"choices\":[]}\n\n").outcome == "upstream-closed");
  CHECK(built(chat, "data: {\"error\":{\"code\":\"c\"}}\n\n").outcome == "complete");
  CHECK(built(chat, "data: {\"error\":{\"code\":\"c\"}}\n\n").error_code == "c");
  const storage::Record failed = built(
      responses, "data: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"boom\"}\n\n");
  CHECK(failed.outcome == "complete");
  CHECK(failed.error_code == "server_error");
  CHECK(failed.details.empty());
  for (const char* end : {"response.completed", "response.incomplete", "response.failed"}) {
    INFO(end);
    CHECK(built(responses, "data: {\"type\":\"" + std::string(end) + "\",\"response\":{}}\n\n")
              .outcome == "complete");
  }
  const storage::Record cut =
      built(responses, "data: {\"type\":\"response.created\",\"response\":{}}\n\n");
  CHECK(cut.outcome == "upstream-closed");
  CHECK(cut.details ==
        "{\"stream\":\"ended early\",\"error\":\"the stream ended before response.completed, "
        "response.incomplete or response.failed\"}");
}

TEST_CASE("an event that is not UTF-8 costs a stream of events that event alone") {
  const auto other = [](const std::string& data) {
    return "\"otherEvents\":[{\"type\":\"data\",\"payload\":\"" + storage::base64_encode(data) +
           "\"}]";
  };
  const std::string early =
      "\"stream\":\"ended early\",\"error\":\"the stream ended before a finish_reason or [DONE]\"";
  const std::string first = "data: {\"choices\":[]}\n\n";
  const std::string bad = "{\"choices\":\"\xFF\"}";
  const std::string shown = "\"{\\\"choices\\\":\\\"\xEF\xBF\xBD\\\"}\"";
  const std::string last =
      "{\"choices\":[{\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,"
      "\"completion_tokens\":6}}";

  const storage::Record whole = build_record(openai(
      "text/event-stream", first + "data: " + bad + "\n\ndata: " + last + "\n\ndata: [DONE]\n\n"));
  CHECK(whole.response.bytes == "[{\"choices\":[]}," + shown + "," + last + "]");
  CHECK(whole.response.content_type == "application/json");
  CHECK(whole.response.is_json);
  CHECK(whole.outcome == "complete");
  CHECK(whole.stop_reason == "stop");
  CHECK((whole.input_tokens == 5 && whole.output_tokens == 6));
  CHECK(whole.details == "{" + other(bad) + "}");

  const storage::Record ended =
      build_record(openai("text/event-stream", first + "data: " + bad + "\n\n"));
  CHECK(ended.response.bytes == "[{\"choices\":[]}," + shown + "]");
  CHECK(ended.outcome == "upstream-closed");
  CHECK(ended.details == "{" + early + "," + other(bad) + "}");

  // What only max_recorded_response_size cut did not end early.
  Invocation cut = openai("text/event-stream", "data: " + last + "\n\ndata: {\"a\":\"\xE4\xBD");
  cut.response.truncated = true;
  cut.response.total = 1000;
  const storage::Record recorded = build_record(cut);
  CHECK(recorded.response.bytes == "[" + last + ",\"{\\\"a\\\":\\\"\xEF\xBF\xBD\xEF\xBF\xBD\"]");
  CHECK(recorded.response.is_json);
  CHECK(recorded.outcome == "complete");
  CHECK(recorded.input_tokens == 5);
  CHECK(recorded.details == "{\"responseBytes\":1000," + other("{\"a\":\"\xE4\xBD") + "}");

  // Without any event it is kept as it came, and did end early.
  const storage::Record none = build_record(openai("text/event-stream", ": \xFF\n\n"));
  CHECK(none.response.bytes == ": \xFF\n\n");
  CHECK(none.response.content_type == "text/event-stream");
  CHECK_FALSE(none.response.is_json);
  CHECK(none.outcome == "upstream-closed");
  CHECK(none.details == "{" + early + "}");
}

TEST_CASE("a chunk that is not UTF-8 costs a model's stream that chunk alone") {
  const std::string bad = "{\"outputText\":\"\xFF\"}";
  const storage::Record record = build_record(
      stream("invoke-with-response-stream",
             chunk(bad) + chunk("{\"amazon-bedrock-invocationMetrics\":{\"inputTokenCount\":7}}")));
  CHECK(record.response.bytes ==
        "[\"" + storage::base64_encode(bad) +
            "\",{\"amazon-bedrock-invocationMetrics\":{\"inputTokenCount\":7}}]");
  CHECK(record.response.is_json);
  CHECK(record.input_tokens == 7);
  CHECK(record.outcome == "complete");

  const std::string broken = "{\"contentBlockIndex\":0,\"delta\":{\"text\":\"\xFF\"}}";
  const storage::Record converse = build_record(stream(
      "converse-stream", kStart + kDelta + event("contentBlockDelta", broken) + kStop + kMetadata));
  CHECK(contains(converse.response.bytes, "{\"text\":\"hi\"}"));
  CHECK(converse.response.is_json);
  CHECK(converse.input_tokens == 3);
  CHECK(converse.outcome == "complete");
  CHECK(converse.details == "{\"otherEvents\":[{\"type\":\"contentBlockDelta\",\"payload\":\"" +
                                storage::base64_encode(broken) + "\"}]}");
}

TEST_CASE("a target that is no recorded operation is named in details") {
  Invocation invocation = converse();
  invocation.target = "/elsewhere";
  const storage::Record record = build_record(invocation);
  CHECK(record.operation.empty());
  CHECK(record.details == "{\"target\":\"/elsewhere\"}");
}

TEST_CASE("large bodies are built like small ones") {
  Invocation invocation = converse();
  invocation.request.bytes =
      "{\"a\":\"" + std::string(20 << 20, 'x') + "\",\"requestMetadata\":{}}";
  const storage::Record record = build_record(invocation);
  CHECK(record.request.is_json);
  CHECK(record.request_metadata == "{}");
  CHECK(record.request.bytes == invocation.request.bytes);
  CHECK(record.request.bytes.capacity() < invocation.request.bytes.size() + 1024);
  CHECK(build_record(converse()).input_tokens == 1);
}

namespace {

// As a client sends it: the event in a message that signs it.
std::string signed_event(std::string_view inner) {
  return message(raw_header(":date", 8, big_endian(1700000000000, 8)) +
                     raw_header(":chunk-signature", 6, big_endian(32, 2) + std::string(32, 'S')),
                 inner);
}

Invocation both_ways(std::string request, std::string response) {
  Invocation invocation = stream("invoke-with-bidirectional-stream", std::move(response));
  invocation.request.bytes = std::move(request);
  invocation.request_headers = {{"content-type", "application/vnd.amazon.eventstream"}};
  return invocation;
}

}  // namespace

TEST_CASE("a bidirectional stream becomes the events of both directions, without signatures") {
  const storage::Record record = build_record(
      both_ways(signed_event(chunk("{\"event\":{\"sessionStart\":{}}}")) +
                    signed_event(chunk("{\"event\":{\"sessionEnd\":{}}}")) + signed_event(""),
                chunk("{\"event\":{\"completionStart\":{}}}")));
  CHECK(record.operation == "InvokeModelWithBidirectionalStream");
  CHECK(record.model_id == "m");
  CHECK(record.request.bytes ==
        "[{\"event\":{\"sessionStart\":{}}},{\"event\":{\"sessionEnd\":{}}}]");
  CHECK(record.request.content_type == "application/json");
  CHECK(record.request.is_json);
  CHECK(record.response.bytes == "[{\"event\":{\"completionStart\":{}}}]");
  CHECK(record.stream);
  CHECK(record.details.find("\"requestEvents\":3") != std::string::npos);
  CHECK(record.details.find("SSSS") == std::string::npos);
}

TEST_CASE("of events that have no place in a body the first are kept, and the others counted") {
  std::string request, response;
  for (int at = 0; at < 1002; ++at) {
    request += message("", "");
  }
  for (int at = 0; at < 3; ++at) {
    response += event("novelty", "{\"x\":\"" + std::string(400 << 10, 'x') + "\"}");
  }
  const std::string details = build_record(both_ways(request, response)).details;
  const auto times = [&details](const std::string& wanted) {
    std::size_t count = 0;
    for (std::size_t at = details.find(wanted); at != std::string::npos;
         at = details.find(wanted, at + 1)) {
      ++count;
    }
    return count;
  };
  CHECK(times(R"({"type":"","payload":""})") == 1000);
  CHECK(contains(details, R"("otherRequestEventsLeftOut":2,"requestEvents":1002)"));
  CHECK(times(R"({"type":"novelty","payload":{"x":"xxx)") == 2);
  CHECK(contains(details, R"("otherEventsLeftOut":1)"));
  CHECK(JsonText().parse(details));
  const std::string converse =
      build_record(stream("converse-stream", kStart + response + kStop + kMetadata)).details;
  CHECK(contains(converse, R"("otherEventsLeftOut":1)"));
}

TEST_CASE("events that are not signed are read, too, and damage is said and not kept") {
  std::string bytes = chunk("{\"a\":1}") + signed_event(chunk("{\"a\":2}"));
  CHECK(build_record(both_ways(bytes, "")).request.bytes == "[{\"a\":1},{\"a\":2}]");
  bytes.back() = static_cast<char>(~bytes.back());
  const storage::Record damaged = build_record(both_ways(bytes, ""));
  CHECK(damaged.request.bytes == "[{\"a\":1}]");
  CHECK(damaged.details.find("\"requestDamage\":{\"offset\":") != std::string::npos);
  CHECK(build_record(both_ways("SSSS no event stream", "")).request.bytes.empty());
}

TEST_CASE("a call that was intercepted says so, and whose signature it had") {
  Invocation invocation = converse();
  invocation.intercepted = true;
  invocation.access_key_id = "AKIAEXAMPLE";
  invocation.signed_at = "2026-04-11T10:11:12Z";
  CHECK(build_record(invocation).details ==
        "{\"capture\":\"proxy\",\"signature\":{\"accessKeyId\":\"AKIAEXAMPLE\",\"signedAt\":"
        "\"2026-04-11T10:11:12Z\"}}");
}
