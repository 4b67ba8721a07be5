// --since and --until: a moment as people write it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace invlog::cli {

// "2026-10-05", "2026-10-05T14:03", "2026-10-05T14:03:59Z" (UTC), or a span before `now_us`: "30m",
// "12h", "7d", "2w". Unix time in µs. The error says how to write it. Pure; any thread.
tl::expected<std::int64_t, std::string> parse_time(std::string_view text, std::int64_t now_us);

}  // namespace invlog::cli
