// Arguments to commands: `invlog COMMAND [OPTIONS]`. The only place that knows CLI11.
#pragma once

#include <functional>
#include <ostream>

#include "agent/cli/agent_command.h"

namespace invlog::cli {

// The world around the command line, which tests replace.
struct CommandLineContext {
  std::ostream& out;
  std::ostream& err;
  int out_width = 0;  // columns of the terminal that `out` is, 0: none
  int err_width = 0;
  RunAgent run_agent;
  // Whether this process was started with SIGPIPE ignored, as services are: so is exec's program.
  bool ignored_sigpipe = false;
};

// Runs the command and returns the process's exit code: 0, 1 for a failure, 2 for wrong usage or
// configuration. Throws nothing: what a command throws becomes a line on `err`.
int run_command_line(int argument_count, const char* const* arguments,
                     const CommandLineContext& context);

}  // namespace invlog::cli
