// What an option's value must be, said in plain words. CLI11's own checks list the numbers that
// stand behind names, take these numbers, too, and write the ends of a range out in 300 digits.
//
// Each is for CLI::Option::transform(), of an option for a number, a value of an enumeration or a
// text: what it hands on is what CLI11 then converts. Pure; any thread.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace invlog::cli {

// Decimal digits for a number of `least` or more.
CLI::Validator whole_number(std::int64_t least);

// One of these names, as it stands.
CLI::Validator one_of(std::vector<std::string> names);

// The name of a value, for an option that is such a value. A number is no name.
CLI::Validator one_of_values(std::vector<std::pair<std::string, int>> values);
template <typename Value>
CLI::Validator one_of(const std::vector<std::pair<const char*, Value>>& values) {
  std::vector<std::pair<std::string, int>> numbers;
  for (const auto& [name, value] : values) {
    numbers.emplace_back(name, static_cast<int>(value));
  }
  return one_of_values(std::move(numbers));
}

// Anything but nothing: a file's name.
CLI::Validator file_name();

}  // namespace invlog::cli
