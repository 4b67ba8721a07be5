// A program that is run for its output, within a time limit.
//
// It gets no standard input, none of this process's other descriptors, and a process group of its
// own, which is killed at the time limit and when the program has ended, so that nothing it started
// stays behind. Nothing of this project is a shell: the command is split into its words only.
//
// Any thread; blocks until the program has ended. Errors: results that name the program and the
// cause, and never hold its output.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace invlog::aws {

// The words of a command line as a POSIX shell splits them: quotes '...' and "...", backslashes;
// nothing is expanded. Errors: an open quote, a backslash at the end, no word at all.
tl::expected<std::vector<std::string>, std::string> split_command(std::string_view command);

struct ChildLimits {
  std::chrono::milliseconds timeout{30000};
  std::size_t output_bytes = 256 << 10;  // more is an error
  std::size_t error_bytes = 4096;        // more is dropped
  const std::atomic<bool>* cancelled = nullptr;
};

struct ChildResult {
  int exit_code = 0;  // 128 + the signal's number if one ended it
  std::string output;
  std::string errors;  // the first error_bytes of standard error
};

tl::expected<ChildResult, std::string> run_child(const std::vector<std::string>& arguments,
                                                 const ChildLimits& limits);

}  // namespace invlog::aws
