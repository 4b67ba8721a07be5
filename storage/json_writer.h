// The one way text gets into JSON that we write: concatenation, with this escaping.
//
// Thread: any; pure functions. Errors: none. JSON is UTF-8, what clients send need not be: bytes
// that are not valid UTF-8 come out as U+FFFD each, so that the result is always valid JSON.
// (Bodies that must survive byte for byte and are not UTF-8 are written as base64 instead:
// storage/base64.h.)
#pragma once

#include <string>
#include <string_view>

namespace invlog::storage {

// Appends `text` as a JSON string, quotes included.
void append_json_string(std::string& out, std::string_view text);
// Appends `text` escaped, without quotes: for a string that is written in pieces.
void append_json_escaped(std::string& out, std::string_view text);

// Appends `"name":` with a comma before it unless it is the first member after '{'. `name` is ours
// and needs no escaping.
void append_json_name(std::string& out, std::string_view name);
// Appends a member whose value is a string, a number, or JSON text as it is.
void append_json_member(std::string& out, std::string_view name, std::string_view text);
void append_json_number(std::string& out, std::string_view name, long long number);
void append_json_raw(std::string& out, std::string_view name, std::string_view json);

}  // namespace invlog::storage
