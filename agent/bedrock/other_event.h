// How an event that has no place in an assembled body is kept in a record's details.
//
// Thread: any; pure function. Errors: none.
#pragma once

#include <string>
#include <string_view>

namespace invlog::bedrock {

// So many levels surround a payload in the details: {"otherEvents":[{"payload":..}]}.
inline constexpr int kLevelsAroundPayload = 3;

// Appends {"type":..,"payload":..} to the elements of a JSON array. `json`: the payload is valid
// JSON, also with kLevelsAroundPayload around it, and is shown as it is; else it is shown as
// base64.
void append_other_event(std::string& elements, std::string_view event_type,
                        std::string_view payload, bool json);

}  // namespace invlog::bedrock
