// Building a record from anything a client or the service may send. The input is read as one byte
// of choices, then fields of one byte's or two bytes' length. Whatever comes, build_record throws
// nothing, calls only valid JSON JSON, loses no byte of the request, and makes labels that can be
// printed.
#include <simdjson.h>
#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/bedrock/json_text.h"
#include "agent/bedrock/label_text.h"
#include "agent/bedrock/record_builder.h"
#include "storage/base64.h"

namespace {

using namespace invlog;

class Input {
 public:
  explicit Input(std::string_view bytes) : bytes_(bytes) {}
  std::uint8_t byte() {
    const std::string_view one = take(1);
    return one.empty() ? 0 : static_cast<std::uint8_t>(one[0]);
  }
  std::string_view short_field() { return take(byte()); }
  std::string_view long_field() {
    const std::size_t high = byte();
    return take(high << 8 | byte());
  }
  std::string_view rest() { return take(bytes_.size()); }
  bool empty() const { return bytes_.empty(); }

 private:
  std::string_view take(std::size_t count) {
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view bytes_;
};

std::string big_endian(std::uint32_t number) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) {
    out += static_cast<char>(number >> shift);
  }
  return out;
}

void append_checksum(std::string& bytes) {
  bytes += big_endian(static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size())));
}

std::string text_header(std::string_view name, std::string_view value) {
  std::string out(1, static_cast<char>(name.size()));
  out += name;
  out += '\x07';
  out += static_cast<char>(value.size() >> 8);
  out += static_cast<char>(value.size());
  out += value;
  return out;
}

std::string message(const std::string& headers, std::string_view payload) {
  std::string out = big_endian(static_cast<std::uint32_t>(16 + headers.size() + payload.size())) +
                    big_endian(static_cast<std::uint32_t>(headers.size()));
  append_checksum(out);
  out += headers;
  out += payload;
  append_checksum(out);
  return out;
}

// An event stream whose frames are right and whose contents are anything.
std::string event_stream(Input input) {
  constexpr std::string_view kTypes[] = {"messageStart",
                                         "contentBlockStart",
                                         "contentBlockDelta",
                                         "contentBlockStop",
                                         "messageStop",
                                         "metadata",
                                         "chunk",
                                         "other"};
  std::string out;
  while (!input.empty()) {
    const std::uint8_t choice = input.byte();
    const std::string_view type = kTypes[choice & 7];
    std::string payload(input.long_field());
    if (type == "chunk" && (choice & 8) != 0) {
      payload = "{\"bytes\":\"" + storage::base64_encode(payload) + "\",\"p\":\"abc\"}";
    }
    if ((choice & 0xF0) == 0xF0) {
      out += message(text_header(":exception-type", "throttlingException") +
                         text_header(":message-type", "exception"),
                     payload);
    } else {
      out += message(text_header(":event-type", type) + text_header(":message-type", "event"),
                     payload);
    }
  }
  return out;
}

void require(bool true_of_every_input) {
  if (!true_of_every_input) {
    std::abort();
  }
}

// What is called JSON is JSON to simdjson's other parser, too, but for numbers beyond its range.
void require_json(std::string_view text) {
  simdjson::dom::parser parser;
  const simdjson::error_code error = parser.parse(text.data(), text.size()).error();
  const bool strict = error == simdjson::SUCCESS;
  // Numbers it cannot hold and half surrogate pairs it cannot unescape are valid by RFC 8259's
  // grammar.
  const bool grammar_only =
      error == simdjson::NUMBER_ERROR || error == simdjson::STRING_ERROR ||
      error == simdjson::NUMBER_OUT_OF_RANGE ||
      std::string_view(simdjson::error_message(error)).find("ig integer") != std::string_view::npos;
  require(strict || grammar_only);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(std::string_view(reinterpret_cast<const char*>(data), size));
  const std::uint8_t choice = input.byte();
  constexpr std::string_view kTargets[] = {"/model/m/converse",
                                           "/model/m/converse-stream",
                                           "/model/m/invoke",
                                           "/model/m/invoke-with-response-stream",
                                           "/openai/v1/chat/completions",
                                           "/openai/v1/responses"};
  constexpr std::string_view kContentTypes[] = {
      "application/json", "application/vnd.amazon.eventstream", "text/event-stream", ""};
  constexpr std::string_view kCodings[] = {"", "", "", "gzip", "deflate", "br", "zstd", "gzip, br"};
  bedrock::Invocation invocation;
  invocation.method = "POST";
  invocation.target = kTargets[choice % std::size(kTargets)];
  const std::uint8_t forms = input.byte();
  const std::string_view content_type = kContentTypes[forms & 3];
  const std::string_view coding = kCodings[forms >> 2 & 7];
  const bool framed = (forms & 0x20) != 0;
  invocation.outcome = static_cast<bedrock::Outcome>((forms >> 6) % 4);
  invocation.status = 200 + 100 * (input.byte() % 4);
  invocation.request_headers.emplace_back("X-Amzn-Bedrock-Request-Metadata", input.short_field());
  invocation.response_headers.emplace_back("content-type", content_type);
  invocation.response_headers.emplace_back("x-amzn-errortype", input.short_field());
  invocation.response_headers.emplace_back("x-amzn-bedrock-input-token-count", input.short_field());
  if (!coding.empty()) {
    invocation.response_headers.emplace_back("content-encoding", coding);
  }
  invocation.request.bytes = input.long_field();
  invocation.response.bytes = framed ? event_stream(input) : std::string(input.rest());
  const std::string request = invocation.request.bytes;
  const storage::Record record = bedrock::build_record(std::move(invocation));
  require(record.request.bytes == request);
  for (const storage::Body* body : {&record.request, &record.response}) {
    if (body->is_json) {
      require_json(body->bytes);
    }
  }
  for (const std::string* text : {&record.details, &record.request_metadata}) {
    if (!text->empty()) {
      require_json(*text);
    }
  }
  for (const std::string* text : {&record.model_id, &record.error_code, &record.stop_reason,
                                  &record.request.content_type, &record.response.content_type}) {
    require(bedrock::is_printable_text(*text));
  }
  require(record.input_tokens.value_or(0) >= 0);
  require(!record.operation.empty());
  // The check itself agrees with simdjson's other parser where that says yes.
  simdjson::dom::parser parser;
  if (parser.parse(request.data(), request.size()).error() == simdjson::SUCCESS &&
      request.substr(0, 3) != "\xEF\xBB\xBF") {
    require(record.request.is_json);
  }
  return 0;
}
