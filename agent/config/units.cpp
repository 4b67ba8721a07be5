#include "agent/config/units.h"

#include <charconv>
#include <limits>
#include <span>

namespace invlog::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr Unit kSizeUnits[] = {{"", 1},
                               {"B", 1},
                               {"KiB", 1ull << 10},
                               {"MiB", 1ull << 20},
                               {"GiB", 1ull << 30},
                               {"TiB", 1ull << 40},
                               {"kB", 1000},
                               {"KB", 1000},
                               {"MB", 1000'000},
                               {"GB", 1000'000'000},
                               {"TB", 1000'000'000'000}};
constexpr Unit kDurationUnits[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3600'000}, {"d", 86'400'000}};

tl::expected<std::uint64_t, std::string> parse_with_unit(std::string_view text,
                                                         std::span<const Unit> units,
                                                         std::string_view how) {
  const auto wrong = [&](std::string_view cause) {
    return tl::unexpected(
        std::string("\"").append(text).append("\" ").append(cause).append("; write ").append(how));
  };
  std::uint64_t number = 0;
  const auto [rest, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code == std::errc::result_out_of_range) {
    return wrong("is too large");
  }
  if (code != std::errc{}) {
    return wrong("does not begin with a whole number");
  }
  std::string_view unit(rest, static_cast<std::size_t>(text.data() + text.size() - rest));
  if (unit.size() > 1 && unit.front() == ' ') {
    unit.remove_prefix(1);
  }
  for (const Unit& each : units) {
    if (unit == each.name) {
      if (number > std::numeric_limits<std::int64_t>::max() / each.factor) {
        return wrong("is too large");
      }
      return number * each.factor;
    }
  }
  return unit.empty() ? wrong("has no unit") : wrong("has an unknown unit");
}

}  // namespace

tl::expected<std::uint64_t, std::string> parse_size(std::string_view text) {
  return parse_with_unit(text, kSizeUnits, "a size such as \"512KiB\", \"64MiB\" or \"1GB\"");
}

tl::expected<std::chrono::milliseconds, std::string> parse_duration(std::string_view text) {
  return parse_with_unit(text, kDurationUnits,
                         "a duration such as \"250ms\", \"30s\", \"5m\", \"1h\" or \"7d\"")
      .map([](std::uint64_t milliseconds) {
        return std::chrono::milliseconds(static_cast<std::int64_t>(milliseconds));
      });
}

}  // namespace invlog::config
