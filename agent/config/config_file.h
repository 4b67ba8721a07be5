// A TOML file to the texts of its settings, each with its place: syntax, tables, keys and the form
// of values are checked here, what the values mean is not.
//
// Any thread; reads one file. Errors: file:line:column, the cause, and the nearest known name for a
// misspelt one.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace invlog::config {

struct GivenValue {
  std::vector<std::string> values;
  std::string place;  // "invlog.toml:3:10: listen", "--listen"
};
struct GivenTable {
  std::string place;  // "invlog.toml:2:1"; "" if only flags or the environment gave it
  std::map<std::string, GivenValue, std::less<>> values;  // by key
};
using GivenTables = std::map<std::string, GivenTable, std::less<>>;  // "agent", "exporters.s3"

tl::expected<GivenTables, std::string> read_config_file(const std::string& file);

// "; did you mean \"listen\"?", or "".
std::string suggestion(std::string_view name, const std::vector<std::string_view>& known);

}  // namespace invlog::config
