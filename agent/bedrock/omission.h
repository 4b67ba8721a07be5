// What stands in a record in place of content that is not kept:
//   [omitted image/png 12345 bytes sha256:9f86d0...]
// A string wherever it stands, so that the body keeps its shape. Of base64, size and SHA-256 are
// those of what it encodes.
//
// Thread: any; pure functions. Errors: none.
#pragma once

#include <string>
#include <string_view>

namespace invlog::bedrock {

// `type`: "image/png", "text", "application/json". Characters that a media type cannot have are
// left out, so that the result needs no escaping in JSON.
std::string omission(std::string_view type, std::string_view bytes);
// Of what `text` encodes, if it is base64 or a data: URL (which also says the type), else of
// itself.
std::string omission_of_encoded(std::string_view type, std::string_view text);

}  // namespace invlog::bedrock
