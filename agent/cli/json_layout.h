// JSON text laid out anew: indented for people, or on one line.
#pragma once

#include <string>
#include <string_view>

namespace invlog::cli {

// Both take one valid JSON text and change nothing but the white space between its tokens. For text
// that is not JSON the result is of no use, but safe. Pure; any thread.
std::string indented_json(std::string_view json);
std::string one_line_json(std::string_view json);

}  // namespace invlog::cli
