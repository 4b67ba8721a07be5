// The pieces of writing JSON by concatenation.
//
// Pure functions; any thread; never throw.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace invlog::storage {

// Appends `text` as a JSON string with its quotes. What is not UTF-8 becomes U+FFFD, so the result
// is always valid.
void append_json_string(std::string& out, std::string_view text);
// Appends standard base64 (RFC 4648 §4) of `bytes`, padded, without quotes.
void append_base64(std::string& out, std::string_view bytes);

}  // namespace invlog::storage
