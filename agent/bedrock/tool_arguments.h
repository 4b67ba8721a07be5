// Where a body has a tool call's arguments as JSON within text, so that paths see into them: the
// `arguments` of OpenAI's calls, and in a stored stream the pieces of them, of Anthropic's
// `partial_json` and of Nova's `toolUse.input`. Converse's own stream is put together before.
// Sources: facts/bedrock.md §2 (streams of InvokeModel), OpenAI's Chat Completions and Responses.
//
// Thread: any; a pure function. Ownership: nodes are indexes into the tree. Errors: TooManyEdits
// for a stream of too many places.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "agent/bedrock/json_tree.h"

namespace invlog::bedrock {

struct ToolArguments {
  std::string_view name;           // of the member that holds them where they are no text
  std::vector<std::size_t> parts;  // strings; together they are the text
};

std::vector<ToolArguments> find_tool_arguments(const JsonTree& tree);

}  // namespace invlog::bedrock
