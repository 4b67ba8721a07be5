// Foreign text made safe to stand in HTML and SVG, which are written so that they are well-formed
// XML too.
//
// Pure functions; any thread; never throw but for lack of memory.
#pragma once

#include <string>
#include <string_view>

namespace invlog::residency {

// One line of valid UTF-8 in which nothing acts on a terminal or turns the direction of writing:
// control characters as \xNN, bidirectional controls as \u202e.
std::string visible_line(std::string_view text);

// A visible_line(), & < > " ' escaped: for text and for attributes in either kind of quotes.
std::string escaped_markup(std::string_view text);

}  // namespace invlog::residency
