// Shortens a JSON text to a number of bytes so that it stays JSON of the same shape: what an event
// that is over CloudWatch Logs' limit shows of a body that is nowhere else in the account.
//
// How: the bytes are shared out level by level. In an object or array, whatever is small stays as
// it is, byte for byte (so numbers keep all their digits), and what is large gets an equal share
// and is cut in turn: a string keeps its beginning, an array its first elements, an object the
// members that fit. Below the deepest level that is looked into, an object or array that does not
// fit is empty. A string is never cut within a character or an escape.
//
// Why not simdjson: the result is made of pieces of the source, and each piece's length is needed
// before it is chosen; a scanner that only finds where values end gives both without a tree in
// memory, in two passes for each level and none for what fits.
//
// Pure functions; any thread; throw only for lack of memory.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace invlog::exporters {

// At most `budget` bytes of JSON, "" if not even the shortest value fits. `json` is one valid JSON
// text; of anything else something within the budget comes out, but it need not be JSON. A text
// that fits comes back without the white space around it.
std::string cut_json(std::string_view json, std::size_t budget);

}  // namespace invlog::exporters
