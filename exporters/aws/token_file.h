// A small file that holds one secret value: a web identity token, a container's authorization
// token, a key in systemd's credentials directory. Such files are replaced while the agent runs, so
// they are read at each use.
//
// A function without state; any thread; blocks on the file system. Errors: results that name the
// file and the cause, and never hold its content.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <tl/expected.hpp>

namespace invlog::aws {

// The whole file, at most `longest` bytes. No value: there is no such file.
tl::expected<std::optional<std::string>, std::string> read_small_file(const std::string& path,
                                                                      std::size_t longest);

// The file's content without white space at its end. It must be there, hold something, be one line
// of printable ASCII, and have at most `longest` bytes.
tl::expected<std::string, std::string> read_token_file(const std::string& path,
                                                       std::size_t longest = 20000);

}  // namespace invlog::aws
