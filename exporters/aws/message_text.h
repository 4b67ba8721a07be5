// Text of others made fit for a message or a log line. Pure functions; any thread; throw nothing
// but for lack of memory.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace invlog::aws {

// One line of printable ASCII, at most `longest` characters: runs of white space and control
// characters become one space, other bytes '?', and what is cut ends in "...".
std::string one_line(std::string_view text, std::size_t longest);

// Replaces each occurrence of `secret` in `text`, and of its beginning where the text was cut. A
// service may repeat what it was sent.
void hide_secret(std::string& text, std::string_view secret);

}  // namespace invlog::aws
