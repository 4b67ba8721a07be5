#include "agent/bedrock/chunk_assembler.h"

#include <optional>

#include "storage/base64.h"
#include "storage/json_writer.h"

namespace invlog::bedrock {
namespace {

constexpr int kLevelsAroundChunk = 1;  // the body is an array of them

std::string_view without_space(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  return first == std::string_view::npos
             ? std::string_view()
             : text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace

void ChunkAssembler::add(std::string_view event_type, std::string_view payload) {
  const bool json = payload_parser_.parse(payload, kLevelsAroundPayload);
  std::optional<std::string_view> encoded;
  if (json && event_type == "chunk") {
    if (const std::optional<JsonText::Object> event = payload_parser_.object()) {
      each_member(*event, [&](std::string_view name, JsonText::Value value) {
        if (name == "bytes") {
          encoded = json_string(value);
        }
      });
    }
  }
  if (!encoded) {
    other_events_.add(event_type, payload, json);
    return;
  }
  if (!elements_.empty()) {
    elements_ += ',';
  }
  const std::optional<std::string> chunk = storage::base64_decode(*encoded);
  if (!chunk || !chunk_parser_.parse(*chunk, kLevelsAroundChunk)) {
    storage::append_json_string(elements_, *encoded);
    return;
  }
  elements_ += without_space(*chunk);
  if (const std::optional<JsonText::Object> object = chunk_parser_.object()) {
    read_invoke_body(*object, facts_);
  }
}

std::string ChunkAssembler::body() const {
  return elements_.empty() ? std::string() : "[" + elements_ + "]";
}

}  // namespace invlog::bedrock
