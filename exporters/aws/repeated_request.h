// What a service answers to a signature that it does not accept: its message repeats all that it
// calculated with, the request's headers and the session token among them. Nobody may keep that,
// log it, or give it to somebody else than the one who signed.
//
// Pure functions; any thread; throw nothing but for lack of memory.
#pragma once

#include <string>
#include <string_view>

namespace invlog::aws {

// What of an error's message stands before the request.
std::string_view without_repeated_request(std::string_view message);

// Of an error's whole body, whatever it is and however it was cut: each JSON string in which a
// request begins (of what is no JSON: the rest) ends there, and says so. Every other byte stays.
// False: there was none.
bool cut_repeated_request(std::string& body);

}  // namespace invlog::aws
