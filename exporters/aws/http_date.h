// The dates of HTTP's Date and Retry-After headers. Source: RFC 9110, 5.6.7. A pure function; any
// thread; never throws.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace invlog::aws {

// "Sun, 06 Nov 1994 08:49:37 GMT" (and the obsolete forms), from 1970 to 2200; nothing for
// anything else.
std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text);

}  // namespace invlog::aws
