#include "exporters/aws/shared_config_file.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "storage/lower_case.h"

namespace invlog::aws {
namespace {

bool blank(char byte) {
  return byte == ' ' || byte == '\t' || byte == '\r';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && blank(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && blank(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

// A value ends at a '#' or ';' that white space precedes.
std::string_view without_comment(std::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if ((text[i] == '#' || text[i] == ';') && blank(text[i - 1])) {
      return trimmed(text.substr(0, i));
    }
  }
  return text;
}

std::string section_name(std::string_view between_brackets) {
  std::string name;
  for (const char byte : trimmed(between_brackets)) {
    if (byte == '"' || byte == '\'') {
      continue;
    }
    if (!blank(byte)) {
      name += byte;
    } else if (!name.empty() && name.back() != ' ') {
      name += ' ';
    }
  }
  return name;
}

std::string error_at(const std::string& file_name, int line, const char* cause) {
  return file_name + ":" + std::to_string(line) + ": " + cause;
}

}  // namespace

tl::expected<SharedConfigFile, std::string> parse_shared_config(std::string_view text,
                                                                const std::string& file_name) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) {
    text.remove_prefix(kByteOrderMark.size());
  }
  SharedConfigFile file;
  SharedConfigSection* section = nullptr;
  std::optional<std::size_t> nested_behind;  // how far that key is indented
  int line_number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line_number;
    const std::string_view content = trimmed(line);
    if (content.empty() || content.front() == '#' || content.front() == ';') {
      continue;
    }
    if (content.front() == '[') {
      const std::size_t bracket = content.find(']');
      if (bracket == std::string_view::npos) {
        return tl::unexpected(error_at(file_name, line_number, "a section's ']' is missing"));
      }
      nested_behind.reset();
      section = &file[section_name(content.substr(1, bracket - 1))];
      if (section->line == 0) {
        section->line = line_number;
      }
      continue;
    }
    if (section == nullptr) {
      return tl::unexpected(error_at(file_name, line_number,
                                     "expected a section such as [default] before the first key"));
    }
    const std::size_t indentation = line.find(content.front());
    const std::size_t equals = content.find('=');
    // Nested behind a key without a value, or a value's next line.
    if (nested_behind && indentation > *nested_behind) {
      continue;
    }
    if (indentation > 0 && equals == std::string_view::npos) {
      continue;
    }
    nested_behind.reset();
    if (equals == std::string_view::npos || equals == 0) {
      return tl::unexpected(error_at(file_name, line_number, "expected key = value"));
    }
    std::string value(without_comment(trimmed(content.substr(equals + 1))));
    if (value.empty()) {
      nested_behind = indentation;
    }
    section->values[storage::lower_case(trimmed(content.substr(0, equals)))] = {std::move(value),
                                                                                line_number};
  }
  return file;
}

}  // namespace invlog::aws
