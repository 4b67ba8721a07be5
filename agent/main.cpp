// invlog's entry: hands the arguments to the command line.
#include <signal.h>
#include <unistd.h>

#include <iostream>

#include "agent/agent.h"
#include "agent/cli/command_line.h"
#include "agent/cli/terminal.h"

int main(int argument_count, char** arguments) {
  // `invlog tail | head` ends quietly, whatever the parent process did with the signal. The agent
  // sets it to ignore.
  ::signal(SIGPIPE, SIG_DFL);
  std::ios::sync_with_stdio(false);
  return invlog::cli::run_command_line(
      argument_count, arguments,
      {std::cout, std::cerr, invlog::cli::terminal_width(STDOUT_FILENO),
       invlog::cli::terminal_width(STDERR_FILENO), invlog::run_agent});
}
