// Sizes and durations as people write them in a configuration.
//
// Pure functions; any thread. Errors: what is wrong and how it is written, for appending to
// "file:line:column: key: ".
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace invlog::config {

// "64MiB", "64 MiB", "1GB", "512KiB", "100B", "4096" (bytes). KiB, MiB, GiB, TiB are powers of
// 1024; kB, MB, GB, TB of 1000.
tl::expected<std::uint64_t, std::string> parse_size(std::string_view text);

// "300s", "5 s", "250ms", "5m", "1h", "7d". The unit is required.
tl::expected<std::chrono::milliseconds, std::string> parse_duration(std::string_view text);

}  // namespace invlog::config
