// Strings of a stored stream (an array of its decoded chunks) that are pieces of one text: those at
// the same place in chunks of the same type, with the same content block or choice. What is split
// over chunks can only be found in all of them together.
//
// Thread: any; pure functions. Ownership: nodes are indexes into the tree. Errors: none.
#pragma once

#include <cstddef>
#include <vector>

#include "agent/bedrock/json_tree.h"

namespace invlog::bedrock {

// A stream's chunks, and nothing else that Bedrock sends, are an array at the top.
bool is_stored_stream(const JsonTree& tree);

// Each place's strings, in the stream's order. Nodes that are replaced are in it, too.
using StreamTexts = std::vector<std::vector<std::size_t>>;
StreamTexts gather_stream_texts(const JsonTree& tree);

}  // namespace invlog::bedrock
