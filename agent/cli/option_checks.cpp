#include "agent/cli/option_checks.h"

#include <algorithm>
#include <charconv>

#include "agent/cli/display_text.h"

namespace invlog::cli {
namespace {

std::string in_quotes(const std::string& text) {
  return "\"" + printable(text) + "\"";
}

// Without a description, which --help would show behind the option's type.
CLI::Validator checked(std::function<std::string(std::string&)> check) {
  return {std::move(check), ""};
}

}  // namespace

CLI::Validator whole_number(std::int64_t least) {
  return checked([least](std::string& text) -> std::string {
    std::int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, code] = std::from_chars(text.data(), end, number);
    if (rest != end || code == std::errc::invalid_argument) {
      return in_quotes(text) + " is no whole number";
    }
    if (code != std::errc{}) {
      return in_quotes(text) + " is too large or too small a number";
    }
    if (number < least) {
      return in_quotes(text) + " is less than " + std::to_string(least);
    }
    text = std::to_string(number);  // with zeros in front it would be an octal number to CLI11
    return "";
  });
}

CLI::Validator one_of(std::vector<std::string> names) {
  return checked([names = std::move(names)](std::string& text) -> std::string {
    if (std::find(names.begin(), names.end(), text) != names.end()) {
      return "";
    }
    std::string list;
    for (const std::string& name : names) {
      list += (list.empty() ? "" : ", ") + name;
    }
    return in_quotes(text) + " is none of " + list;
  });
}

CLI::Validator one_of_values(std::vector<std::pair<std::string, int>> values) {
  std::vector<std::string> names;
  for (const auto& [name, value] : values) {
    names.push_back(name);
  }
  const CLI::Validator known = one_of(std::move(names));
  return checked([known, values = std::move(values)](std::string& text) {
    std::string problem = known(text);
    for (const auto& [name, value] : values) {
      if (name == text) {
        text = std::to_string(value);
        break;
      }
    }
    return problem;
  });
}

CLI::Validator file_name() {
  return checked([](std::string& text) -> std::string {
    return text.empty() ? "it needs a file's name" : "";
  });
}

}  // namespace invlog::cli
