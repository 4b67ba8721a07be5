// Base64 (RFC 4648 §4, with padding): bodies that are not JSON, and the chunks of
// InvokeModelWithResponseStream.
//
// Thread: any; pure functions. Errors: decoding says by an empty optional that the text is not
// base64.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace invlog::storage {

void append_base64(std::string& out, std::string_view bytes);
std::string base64_encode(std::string_view bytes);
// Strict: padded to a multiple of four, nothing but the alphabet, no bits set beyond the last byte.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace invlog::storage
