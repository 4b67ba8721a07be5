#include "agent/cli/display_text.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>

namespace invlog::cli {
namespace {

struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 1;
  bool valid = false;
};

// The code point at the beginning of `text`, which is not empty. RFC 3629.
CodePoint first_code_point(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) {
    return {lead, 1, true};
  }
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) {
    return {};
  }
  char32_t value = lead & (0x7F >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) {
      return {};
    }
    value = value << 6 | (byte(i) & 0x3F);
  }
  const char32_t least = size == 2 ? 0x80 : size == 3 ? 0x800 : 0x10000;
  if (value < least || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
    return {};
  }
  return {value, size, true};
}

struct Range {
  char32_t first, last;
};

constexpr Range kCombining[] = {{0x300, 0x36F},   {0x483, 0x489},   {0x591, 0x5BD},
                                {0x610, 0x61A},   {0x64B, 0x65F},   {0x1AB0, 0x1AFF},
                                {0x1DC0, 0x1DFF}, {0x200B, 0x200F}, {0x20D0, 0x20FF},
                                {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xE0100, 0xE01EF}};
constexpr Range kWide[] = {{0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0x33FF},
                           {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xA000, 0xA4CF},
                           {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},
                           {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F},
                           {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};

template <std::size_t count>
bool within(const Range (&ranges)[count], char32_t value) {
  for (const Range& range : ranges) {
    if (value >= range.first && value <= range.last) {
      return true;
    }
  }
  return false;
}

std::size_t width_of(const CodePoint& point) {
  return !point.valid                      ? 1
         : within(kCombining, point.value) ? 0
         : within(kWide, point.value)      ? 2
                                           : 1;
}

enum class LineBreaks { escaped, kept };

// Whether `text` begins with what only lays it out.
bool begins_with_layout(std::string_view text) {
  return text.front() == '\n' || text.front() == '\t' || text.substr(0, 2) == "\r\n";
}

std::string without_controls(std::string_view text, LineBreaks breaks) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint point = first_code_point(text);
    const bool control =
        point.valid && (point.value < 0x20 || (point.value >= 0x7F && point.value < 0xA0));
    if (!point.valid) {
      out += "\xef\xbf\xbd";
    } else if (breaks == LineBreaks::kept && begins_with_layout(text)) {
      out += text.front();
    } else if (point.value == '\n') {
      out += "\\n";
    } else if (point.value == '\t') {
      out += "\\t";
    } else if (point.value == '\r') {
      out += "\\r";
    } else if (control) {
      char code[8];
      std::snprintf(code, sizeof code, "\\x%02X", static_cast<unsigned>(point.value));
      out += code;
    } else {
      out += text.substr(0, point.bytes);
    }
    text.remove_prefix(point.bytes);
  }
  return out;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const CodePoint point = first_code_point(text);
    width += width_of(point);
    text.remove_prefix(point.bytes);
  }
  return width;
}

std::string cut_to_width(std::string_view text, std::size_t width) {
  std::size_t used = 0;
  std::size_t cut_at = 0;  // bytes that leave a column for the ellipsis
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = first_code_point(text.substr(at));
    used += width_of(point);
    if (used > width) {
      return width == 0 ? "" : std::string(text.substr(0, cut_at)) + "…";
    }
    at += point.bytes;
    if (used < width) {
      cut_at = at;
    }
  }
  return std::string(text);
}

std::string printable(std::string_view text) {
  return without_controls(text, LineBreaks::escaped);
}

std::string printable_lines(std::string_view text) {
  return without_controls(text, LineBreaks::kept);
}

std::string printable_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  while (!json.empty()) {
    const CodePoint point = first_code_point(json);
    if (!point.valid) {
      out += "\xef\xbf\xbd";
    } else if (point.value >= 0x7F && point.value < 0xA0) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(point.value));
      out += code;
    } else {
      out += json.substr(0, point.bytes);
    }
    json.remove_prefix(point.bytes);
  }
  return out;
}

std::string grouped(long long number) {
  std::string digits = std::to_string(number);
  const std::size_t sign = number < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > sign + 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string counted(long long number, std::string_view noun) {
  return grouped(number).append(" ").append(noun).append(number == 1 ? "" : "s");
}

std::string readable_size(unsigned long long bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

std::string readable_age(long long seconds) {
  constexpr long long kMinute = 60, kHour = 3600, kDay = 86'400;
  seconds = std::max(seconds, 0LL);
  if (seconds < 2 * kMinute) {
    return std::to_string(seconds) + " s";
  }
  if (seconds < 2 * kHour) {
    return std::to_string(seconds / kMinute) + " min";
  }
  return seconds < 2 * kDay ? std::to_string(seconds / kHour) + " h"
                            : grouped(seconds / kDay) + " d";
}

void print_field(std::ostream& out, std::string_view name, const std::string& value) {
  constexpr std::size_t kColumn = 16;
  if (!value.empty()) {
    out << name << std::string(kColumn - std::min(kColumn - 1, name.size()), ' ') << value << '\n';
  }
}

}  // namespace invlog::cli
