// Real exchanges with the service, compared with what tests/e2e/expect_recordings.py derives from
// them independently.
#include <cstdio>
#include <memory>

#include "agent/bedrock/record_builder.h"
#include "storage/base64.h"
#include "tests/catch.h"
#include "tests/shared_files.h"
#include "tests/unit/agent/bedrock/event_frames.h"

using namespace invlog;
using namespace invlog::tests;

namespace {

using Element = simdjson::dom::element;

std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), &pclose);
  REQUIRE(pipe);
  std::string out;
  char step[65536];
  for (std::size_t count = 0; (count = fread(step, 1, sizeof(step), pipe.get())) != 0;) {
    out.append(step, count);
  }
  return out;
}

// "" if the member is null or absent.
std::string text(Element object, const char* name) {
  std::string_view value;
  return object[name].get_string().get(value) ? std::string() : std::string(value);
}

std::optional<std::int64_t> number(Element object, const char* name) {
  std::int64_t value = 0;
  return object[name].get_int64().get(value) ? std::nullopt : std::optional(value);
}

bedrock::Headers headers(Element object) {
  bedrock::Headers out;
  const simdjson::dom::object members = object.get_object().value();
  for (const auto field : members) {
    out.emplace_back(field.key, std::string(field.value.get_string().value()));
  }
  return out;
}

bedrock::Invocation invocation(Element recording) {
  bedrock::Invocation out;
  out.method = text(recording, "method");
  const std::string url = text(recording, "url");
  out.target = url.substr(url.find('/', url.find("//") + 2));
  for (auto& [name, value] : headers(recording["request_headers"].value())) {
    if (bedrock::kept_request_header(name)) {
      out.request_headers.emplace_back(name, value);
    }
  }
  out.request.bytes = storage::base64_decode(text(recording, "request_body")).value();
  out.response_headers = headers(recording["response_headers"].value());
  out.response.bytes = storage::base64_decode(text(recording, "response_body")).value();
  out.status = static_cast<int>(number(recording, "status").value());
  return out;
}

void compare(const storage::Record& record, Element expected) {
  CHECK(record.operation == text(expected, "operation"));
  CHECK(record.model_id == text(expected, "model"));
  CHECK(record.status == number(expected, "status"));
  CHECK(record.outcome == text(expected, "outcome"));
  CHECK(record.request_id == text(expected, "request_id"));
  CHECK(record.sdk_invocation_id == text(expected, "sdk_invocation_id"));
  CHECK(record.error_code == text(expected, "error"));
  CHECK(record.stop_reason == text(expected, "stop_reason"));
  CHECK(record.input_tokens == number(expected, "input_tokens"));
  CHECK(record.output_tokens == number(expected, "output_tokens"));
  CHECK(record.cache_read_tokens == number(expected, "cache_read_tokens"));
  CHECK(record.cache_write_tokens == number(expected, "cache_write_tokens"));
  CHECK(record.stream == (number(expected, "stream") == 1));
  CHECK(record.request_metadata == text(expected, "request_metadata"));
  CHECK(record.details == text(expected, "details"));
  CHECK(record.request.content_type == text(expected, "input_content_type"));
  CHECK(record.request.bytes == storage::base64_decode(text(expected, "request_body")).value());
  CHECK(record.request.is_json == !record.request.bytes.empty());
  CHECK(record.response.content_type == text(expected, "output_content_type"));
  CHECK(record.response.is_json);
  Element assembled;
  if (!expected["response_json"].get(assembled)) {
    CHECK(same_json(record.response.bytes, simdjson::minify(assembled)));
  } else {
    CHECK(record.response.bytes == storage::base64_decode(text(expected, "response_body")).value());
  }
}

}  // namespace

TEST_CASE("every recorded exchange becomes the record that is expected of it") {
  const std::optional<std::string> path = shared_file("recordings/otel-botocore.ndjson");
  if (!path) {
    return;
  }
  const std::string expectations =
      output_of("python3 tests/e2e/expect_recordings.py '" + *path + "'");
  const std::string recordings = read_whole_file(*path);
  simdjson::dom::parser recording_parser, expectation_parser;
  std::size_t recording_at = 0, expectation_at = 0;
  int count = 0;
  const auto line = [](const std::string& lines, std::size_t& at) {
    const std::size_t end = lines.find('\n', at);
    const std::string found = lines.substr(at, end - at);
    at = end == std::string::npos ? lines.size() : end + 1;
    return found;
  };
  while (recording_at < recordings.size()) {
    const Element recording = recording_parser.parse(line(recordings, recording_at)).value();
    REQUIRE(expectation_at < expectations.size());
    const Element expected = expectation_parser.parse(line(expectations, expectation_at)).value();
    INFO(text(recording, "name"));
    compare(bedrock::build_record(invocation(recording)), expected);
    ++count;
  }
  CHECK(count == 74);
  CHECK(expectation_at == expectations.size());
}
