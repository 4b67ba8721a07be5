// Request ids are nearly always UUIDs: as 16 bytes they take less than half the room of their text.
//
// Pure functions; any thread; never throw.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace invlog::storage {

// The 16 bytes of a UUID written as RFC 9562 shows it, in lower case; empty for any other text, so
// that what is stored always reads back exactly as it came.
std::optional<std::string> uuid_bytes(std::string_view text);
// The text of 16 bytes.
std::string uuid_text(std::string_view bytes);

}  // namespace invlog::storage
