#include "agent/bedrock/openai_assembler.h"

#include <simdjson.h>

#include <optional>

#include "storage/json_writer.h"

namespace invlog::bedrock {
namespace {

constexpr int kLevelsAroundEvent = 1;  // the body is an array of them

}  // namespace

void OpenaiAssembler::add(std::string_view data) {
  if (data == "[DONE]") {
    facts_.finished = true;
    return;
  }
  if (!elements_.empty()) {
    elements_ += ',';
  }
  if (!parser_.parse(data, kLevelsAroundEvent)) {
    storage::append_json_string(elements_, data);
    if (!simdjson::validate_utf8(data.data(), data.size())) {
      other_events_.add("data", data, false);
    }
    return;
  }
  elements_ += data;
  if (const std::optional<JsonText::Object> event = parser_.object()) {
    read_openai_body(*event, facts_);
  }
}

std::string OpenaiAssembler::body() const {
  return elements_.empty() ? std::string() : "[" + elements_ + "]";
}

}  // namespace invlog::bedrock
