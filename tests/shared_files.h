// Test data that is not part of the project: vectors, recordings, corpora in the folder
// INVLOG_SHARED names, or in
// ../shared beside the repository. A test that finds none says so on standard error in a line that
// begins with "SKIPPED" and passes: on a machine without the folder the rest still counts, and CI
// fails on that line.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>

namespace invlog::tests {

// The path of a shared file; empty, with the line said, if it is not here. Tests run from the
// repository's root.
inline std::optional<std::string> shared_file(const std::string& name) {
  const char* configured = std::getenv("INVLOG_SHARED");
  const std::string folder =
      configured != nullptr && *configured != '\0' ? configured : "../shared";
  std::string path = folder + "/" + name;
  if (!std::filesystem::exists(path)) {
    std::cerr << "SKIPPED: " << path
              << " is not here (INVLOG_SHARED names the folder that has it)\n";
    return std::nullopt;
  }
  return path;
}

inline std::string read_whole_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace invlog::tests
