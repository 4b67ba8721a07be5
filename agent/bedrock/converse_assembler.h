// Puts the events of a ConverseStream together into the body that Converse would have answered, the
// form in which AWS's own invocation log shows a stream. Source: facts/bedrock.md §1.4, §2.4, §2.5;
// botocore bedrock-runtime service-2.json (ContentBlockStart, ContentBlockDelta, ContentBlock).
//
// Values are copied as they were received (numbers, escapes); strings that came in pieces are
// joined. A tool's input is the joined pieces as JSON, or as one string if they are not JSON. The
// padding member `p` is dropped. What has no place in that form is kept in other_events().
//
// Thread: one at a time. Errors: none; a broken event goes to other_events().
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/bedrock/json_text.h"
#include "agent/bedrock/other_events.h"

namespace invlog::bedrock {

class ConverseAssembler {
 public:
  // `parser` is used within add() and body() only.
  explicit ConverseAssembler(JsonText& parser) : parser_(parser) {}

  void add(std::string_view event_type, std::string_view payload);

  // One JSON object; "" if no event had a place in it.
  std::string body();
  // The event that a whole stream has and this one had not: messageStop, metadata; "" none.
  std::string_view missing_event() const {
    return !stopped_ ? "messageStop" : !has_metadata_ ? "metadata" : "";
  }
  // Those of an unknown type or form.
  const OtherEvents& other_events() const { return other_events_; }

 private:
  // A string that came in pieces, still escaped as received.
  struct Pieces {
    bool present = false;
    std::string escaped;
  };
  struct Block {
    Pieces text;
    bool tool_use = false;
    std::string tool_use_members;  // of contentBlockStart
    std::string tool_input;        // escaped
    Pieces reasoning_text, reasoning_signature;
    std::vector<std::string> redacted;  // base64 pieces
    std::string citations;              // elements of the array
    bool tool_result = false;
    std::string tool_result_members, tool_result_content;
    bool tool_result_text_open = false;  // tool_result_content ends within a text that may go on
    bool image = false;
    std::string image_members, image_rest;
    std::vector<std::string> image_bytes;  // base64 pieces
    std::string other;                     // elements: deltas of an unknown kind
  };

  using Take = void (*)(Block& block, std::string_view kind, JsonText::Value value);

  bool add_to_block(JsonText::Object event, std::string_view member, Take take);
  void add_members(JsonText::Object event);
  static void start_block(Block& block, std::string_view kind, JsonText::Value value);
  static void extend_block(Block& block, std::string_view kind, JsonText::Value value);
  static void extend_reasoning(Block& block, JsonText::Object reasoning);
  static void extend_tool_result(Block& block, JsonText::Array results);
  static void extend_image(Block& block, JsonText::Object image);
  static void close_tool_result_text(Block& block);
  void append_block(std::string& out, Block& block);
  void append_tool_input(std::string& out, const std::string& escaped);

  JsonText& parser_;
  bool started_ = false, stopped_ = false, has_metadata_ = false;
  std::string role_;                      // raw JSON
  std::map<std::int64_t, Block> blocks_;  // by contentBlockIndex
  std::vector<std::pair<std::string, std::string>>
      members_;  // of messageStop and metadata: name, raw JSON
  OtherEvents other_events_;
};

}  // namespace invlog::bedrock
