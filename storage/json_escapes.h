// The escapes of JSON's strings, undone (RFC 8259 §7).
//
// Thread: any; pure functions. Errors: what is no escape is said to be none; never throws but for
// memory.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace invlog::storage {

// Appends what the escape at `at` stands for, as UTF-8 (a surrogate pair is one escape); returns
// its length in bytes, 0 if it is none.
std::size_t undo_json_escape(std::string_view raw, std::size_t at, std::string& out);

// In the JSON text from `from` on, writes \ufffd, of the same length, for each half of a surrogate
// pair that stands alone: RFC 8259 §8.2 leaves open what that is, and readers refuse all of a file
// for it.
void replace_lone_surrogates(std::string& json, std::size_t from);

}  // namespace invlog::storage
