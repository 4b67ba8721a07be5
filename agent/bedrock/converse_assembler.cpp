#include "agent/bedrock/converse_assembler.h"

#include <array>
#include <optional>

#include "storage/base64.h"
#include "storage/json_writer.h"

namespace invlog::bedrock {
namespace {

using storage::append_json_name;
using storage::append_json_raw;
using storage::append_json_string;

// The members of a Converse body in the order in which AWS's log shows them.
constexpr std::array<std::string_view, 7> kBodyOrder = {
    "stopReason", "metrics",           "usage",      "additionalModelResponseFields",
    "trace",      "performanceConfig", "serviceTier"};

// {"output":{"message":{"content":[{"toolUse":{"input":..}}]}}}
constexpr int kLevelsAroundToolInput = 6;

// How many levels deeper a part of an event stands in the body, at most. What messageStop and
// metadata carry stands where it stood.
int levels_around(std::string_view event_type) {
  constexpr int kLevelsAroundContent = 5;  // a citation's
  static_assert(kLevelsAroundContent >= kLevelsAroundPayload);
  return event_type == "messageStop" || event_type == "metadata" ? 0 : kLevelsAroundContent;
}

// Between the quotes of a string as received; empty if `raw` is no string.
std::optional<std::string_view> string_content(std::string_view raw) {
  if (raw.size() < 2 || raw.front() != '"') {
    return std::nullopt;
  }
  return raw.substr(1, raw.size() - 2);
}

void append_element(std::string& elements, std::string_view json) {
  if (!elements.empty()) {
    elements += ',';
  }
  elements += json;
}

// A member whose name came from outside.
void append_foreign_member(std::string& members, std::string_view name, std::string_view raw) {
  if (!members.empty()) {
    members += ',';
  }
  append_json_string(members, name);
  members += ':';
  members += raw;
}

// {"name":raw}
std::string single_member(std::string_view name, std::string_view raw) {
  std::string object = "{";
  append_json_string(object, name);
  object += ':';
  object += raw;
  object += '}';
  return object;
}

std::string copy_members(JsonText::Object object) {
  std::string members;
  each_member(object, [&](std::string_view name, JsonText::Value value) {
    // The name lives in simdjson's buffer for strings, which json_raw() does not touch.
    append_foreign_member(members, name, json_raw(value));
  });
  return members;
}

// Bytes that came as several base64 texts are one value in the assembled body.
std::string join_base64(const std::vector<std::string>& pieces) {
  if (pieces.size() == 1) {
    return pieces.front();
  }
  std::string bytes, text;
  bool decoded_all = true;
  for (const std::string& piece : pieces) {
    text += piece;
    const std::optional<std::string> decoded = storage::base64_decode(piece);
    decoded_all = decoded_all && decoded.has_value();
    bytes += decoded.value_or("");
  }
  return decoded_all ? storage::base64_encode(bytes) : text;
}

}  // namespace

void ConverseAssembler::add(std::string_view event_type, std::string_view payload) {
  std::optional<JsonText::Object> event;
  if (parser_.parse(payload, levels_around(event_type))) {
    event = parser_.object();
  }
  bool placed = event.has_value();
  if (placed) {
    if (event_type == "messageStart") {
      started_ = true;
      each_member(*event, [&](std::string_view name, JsonText::Value value) {
        if (name == "role") {
          role_ = json_raw(value);
        }
      });
    } else if (event_type == "contentBlockStart") {
      placed = add_to_block(*event, "start", start_block);
    } else if (event_type == "contentBlockDelta") {
      placed = add_to_block(*event, "delta", extend_block);
    } else if (event_type == "messageStop") {
      stopped_ = true;
      add_members(*event);
    } else if (event_type == "metadata") {
      has_metadata_ = true;
      add_members(*event);
    } else {
      placed = event_type == "contentBlockStop";
    }
  }
  if (!placed) {
    other_events_.add(event_type, payload, event.has_value());
  }
}

// What `take` gets is in `member`: "start" or "delta".
bool ConverseAssembler::add_to_block(JsonText::Object event, std::string_view member, Take take) {
  // contentBlockIndex comes before or behind it, so it is looked up first.
  std::int64_t index = 0;
  bool found = false;
  each_member(event, [&](std::string_view name, JsonText::Value value) {
    if (name == "contentBlockIndex") {
      index = json_count(value).value_or(0);
    }
  });
  event = *parser_.object();
  each_member(event, [&](std::string_view name, JsonText::Value value) {
    if (name != member) {
      return;
    }
    if (std::optional<JsonText::Object> parts = json_object(value)) {
      found = true;
      each_member(*parts, [&](std::string_view kind, JsonText::Value part) {
        take(blocks_[index], kind, part);
      });
    }
  });
  return found;
}

void ConverseAssembler::add_members(JsonText::Object event) {
  each_member(event, [&](std::string_view name, JsonText::Value value) {
    if (name != "p") {
      members_.emplace_back(name, json_raw(value));
    }
  });
}

void ConverseAssembler::start_block(Block& block, std::string_view kind, JsonText::Value value) {
  if (kind == "toolUse") {
    block.tool_use = true;
    if (std::optional<JsonText::Object> members = json_object(value)) {
      block.tool_use_members = copy_members(*members);
    }
  } else if (kind == "toolResult") {
    block.tool_result = true;
    if (std::optional<JsonText::Object> members = json_object(value)) {
      block.tool_result_members = copy_members(*members);
    }
  } else if (kind == "image") {
    block.image = true;
    if (std::optional<JsonText::Object> members = json_object(value)) {
      block.image_members = copy_members(*members);
    }
  } else {
    append_element(block.other, single_member(kind, json_raw(value)));
  }
}

void ConverseAssembler::extend_block(Block& block, std::string_view kind, JsonText::Value value) {
  if (kind == "reasoningContent") {
    if (std::optional<JsonText::Object> reasoning = json_object(value)) {
      extend_reasoning(block, *reasoning);
      return;
    }
  } else if (kind == "toolUse") {
    if (std::optional<JsonText::Object> tool_use = json_object(value)) {
      block.tool_use = true;
      each_member(*tool_use, [&](std::string_view name, JsonText::Value input) {
        if (name == "input") {
          block.tool_input += string_content(json_raw(input)).value_or("");
        }
      });
      return;
    }
  } else if (kind == "toolResult") {
    if (std::optional<JsonText::Array> results = json_array(value)) {
      extend_tool_result(block, *results);
      return;
    }
  } else if (kind == "image") {
    if (std::optional<JsonText::Object> image = json_object(value)) {
      extend_image(block, *image);
      return;
    }
  }
  const std::string_view raw = json_raw(value);
  const std::optional<std::string_view> content = string_content(raw);
  if (kind == "text" && content) {
    block.text.present = true;
    block.text.escaped += *content;
  } else if (kind == "citation") {
    append_element(block.citations, raw);
  } else {
    append_element(block.other, single_member(kind, raw));
  }
}

void ConverseAssembler::extend_reasoning(Block& block, JsonText::Object reasoning) {
  each_member(reasoning, [&](std::string_view name, JsonText::Value value) {
    const std::string_view raw = json_raw(value);
    const std::optional<std::string_view> content = string_content(raw);
    if (name == "text" && content) {
      block.reasoning_text.present = true;
      block.reasoning_text.escaped += *content;
    } else if (name == "signature" && content) {
      block.reasoning_signature.present = true;
      block.reasoning_signature.escaped += *content;
    } else if (name == "redactedContent" && content) {
      block.redacted.emplace_back(*content);
    } else {
      append_element(block.other, single_member("reasoningContent", single_member(name, raw)));
    }
  });
}

void ConverseAssembler::close_tool_result_text(Block& block) {
  if (block.tool_result_text_open) {
    block.tool_result_content += "\"}";
    block.tool_result_text_open = false;
  }
}

void ConverseAssembler::extend_tool_result(Block& block, JsonText::Array results) {
  block.tool_result = true;
  each_element(results, [&](JsonText::Value element) {
    const std::string raw(json_raw(element));
    // {"text":"..."} continues the text before it; everything else is an element of its own.
    JsonText own;
    std::optional<std::string> text;
    if (own.parse(raw)) {
      if (std::optional<JsonText::Object> result = own.object()) {
        each_member(*result, [&](std::string_view name, JsonText::Value value) {
          const std::optional<std::string_view> content = string_content(json_raw(value));
          if (name == "text" && content) {
            text = *content;
          }
        });
      }
    }
    if (!text) {
      close_tool_result_text(block);
      append_element(block.tool_result_content, raw);
      return;
    }
    if (!block.tool_result_text_open) {
      append_element(block.tool_result_content, "{\"text\":\"");
      block.tool_result_text_open = true;
    }
    block.tool_result_content += *text;
  });
}

void ConverseAssembler::extend_image(Block& block, JsonText::Object image) {
  block.image = true;
  each_member(image, [&](std::string_view name, JsonText::Value value) {
    if (name != "source") {
      append_foreign_member(block.image_rest, name, json_raw(value));
      return;
    }
    const std::optional<JsonText::Object> source = json_object(value);
    if (!source) {
      return;
    }
    each_member(*source, [&](std::string_view form, JsonText::Value bytes) {
      const std::string_view raw = json_raw(bytes);
      const std::optional<std::string_view> content = string_content(raw);
      if (form == "bytes" && content) {
        block.image_bytes.emplace_back(*content);
      } else {
        append_foreign_member(block.image_rest, "source", single_member(form, raw));
      }
    });
  });
}

void ConverseAssembler::append_tool_input(std::string& out, const std::string& escaped) {
  // A tool without parameters streams no input, and Converse shows an empty object.
  if (escaped.empty()) {
    out += "{}";
    return;
  }
  std::string quoted = "[\"";
  quoted += escaped;
  quoted += "\"]";
  std::string input;
  if (parser_.parse(quoted)) {
    if (const std::optional<JsonText::Array> array = parser_.array()) {
      each_element(*array, [&](JsonText::Value value) { input = json_string(value).value_or(""); });
    }
  }
  if (parser_.parse(input, kLevelsAroundToolInput)) {
    out += input;
    return;
  }
  out += '"';
  out += escaped;
  out += '"';
}

void ConverseAssembler::append_block(std::string& out, Block& block) {
  std::string content;
  const auto append = [&](std::string_view kind, const std::string& value) {
    append_element(content, single_member(kind, value));
  };
  const auto quoted = [](const std::string& escaped) { return '"' + escaped + '"'; };
  if (block.reasoning_text.present || block.reasoning_signature.present ||
      !block.redacted.empty()) {
    std::string reasoning = "{";
    if (block.reasoning_text.present || block.reasoning_signature.present) {
      std::string text = "{";
      if (block.reasoning_text.present) {
        append_json_raw(text, "text", quoted(block.reasoning_text.escaped));
      }
      if (block.reasoning_signature.present) {
        append_json_raw(text, "signature", quoted(block.reasoning_signature.escaped));
      }
      text += '}';
      append_json_raw(reasoning, "reasoningText", text);
    }
    if (!block.redacted.empty()) {
      append_json_raw(reasoning, "redactedContent", quoted(join_base64(block.redacted)));
    }
    reasoning += '}';
    append("reasoningContent", reasoning);
  }
  if (!block.citations.empty()) {
    std::string cited = "{";
    const std::string text =
        block.text.present ? "{\"text\":" + quoted(block.text.escaped) + "}" : std::string();
    append_json_raw(cited, "content", "[" + text + "]");
    append_json_raw(cited, "citations", "[" + block.citations + "]");
    cited += '}';
    append("citationsContent", cited);
  } else if (block.text.present) {
    append("text", quoted(block.text.escaped));
  }
  if (block.tool_use) {
    std::string tool_use = "{" + block.tool_use_members;
    append_json_name(tool_use, "input");
    append_tool_input(tool_use, block.tool_input);
    tool_use += '}';
    append("toolUse", tool_use);
  }
  if (block.tool_result) {
    close_tool_result_text(block);
    std::string tool_result = "{" + block.tool_result_members;
    append_json_raw(tool_result, "content", "[" + block.tool_result_content + "]");
    tool_result += '}';
    append("toolResult", tool_result);
  }
  if (block.image) {
    std::string image = "{" + block.image_members;
    if (!block.image_bytes.empty()) {
      append_json_raw(image, "source",
                      "{\"bytes\":" + quoted(join_base64(block.image_bytes)) + "}");
    }
    if (!block.image_rest.empty()) {
      image += image.back() == '{' ? "" : ",";
      image += block.image_rest;
    }
    image += '}';
    append("image", image);
  }
  if (!block.other.empty()) {
    append_element(content, block.other);
  }
  if (!content.empty()) {
    append_element(out, content);
  }
}

std::string ConverseAssembler::body() {
  if (!started_ && !stopped_ && !has_metadata_ && blocks_.empty()) {
    return {};
  }
  std::string content;
  for (auto& [index, block] : blocks_) {
    append_block(content, block);
  }
  std::string message = "{";
  if (!role_.empty()) {
    append_json_raw(message, "role", role_);
  }
  append_json_raw(message, "content", "[" + content + "]");
  message += '}';
  std::string out = "{\"output\":{\"message\":" + message + "}";
  for (const std::string_view name : kBodyOrder) {
    for (const auto& [member, raw] : members_) {
      if (member == name) {
        append_json_raw(out, name, raw);
        break;
      }
    }
  }
  for (const auto& [member, raw] : members_) {
    bool known = member == "output";
    for (const std::string_view name : kBodyOrder) {
      known = known || member == name;
    }
    if (!known) {
      out += ',';
      append_json_string(out, member);
      out += ':';
      out += raw;
    }
  }
  out += '}';
  return out;
}

}  // namespace invlog::bedrock
