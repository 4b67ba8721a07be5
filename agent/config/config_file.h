// A TOML file to the texts of its settings, each with its place: syntax, tables, keys and the form
// of values are checked here, what the values mean is not.
//
// Any thread; reads one file. Errors: file:line:column, the cause, and the nearest known name for a
// misspelt one; all of them, but for syntax, where the first ends the file.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace invlog::config {

struct GivenValue {
  std::vector<std::string> values;
  std::string place;   // to stand before an error: "invlog.toml:3:10: listen", "--listen"
  std::string origin;  // for people: "invlog.toml:3:10", "flag --listen", "environment AWS_REGION"
};
struct GivenTable {
  std::string place;  // "invlog.toml:2:1"; "" if only flags or the environment gave it
  std::map<std::string, GivenValue, std::less<>> values;  // by key
  bool faulty = false;  // something in it is wrong: what does not fit together may follow from that
};
using GivenTables = std::map<std::string, GivenTable, std::less<>>;  // "agent", "exporters.s3"

using Problems = std::vector<std::string>;  // each with its place

// What may stand at a place. A pipe (`--config <(...)`, /dev/stdin) is waited for, and gives what
// it has only once.
enum class FileKind { any, regular };
// `empty`: it was read, and has no table and no key.
enum class FileContent { unreadable, empty, settings };

// Lays the file's values over those in `given`: a key that stands in both has the file's value,
// whole. Of one that is unreadable nothing was taken. What is wrong is added to `problems`.
FileContent read_config_file(const std::string& file, FileKind kind, GivenTables& given,
                             Problems& problems);

// "; did you mean \"listen\"?", or "".
std::string suggestion(std::string_view name, const std::vector<std::string_view>& known);

}  // namespace invlog::config
