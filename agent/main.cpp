// invlog's entry: hands the arguments to the command line.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <iostream>

#include "agent/agent.h"
#include "agent/cli/command_line.h"
#include "agent/cli/terminal.h"

namespace {

// Where a parent closed one of the three, the next file that is opened would get its number, and
// with it all that is meant for a terminal or a log.
void open_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) < 0)
      ::_exit(1);
  }
}

}  // namespace

int main(int argument_count, char** arguments) {
  open_standard_descriptors();
  // `invlog tail | head` ends quietly, whatever the parent process did with the signal. The agent
  // sets it to ignore.
  const bool ignored_sigpipe = ::signal(SIGPIPE, SIG_DFL) == SIG_IGN;
  std::ios::sync_with_stdio(false);
  return invlog::cli::run_command_line(
      argument_count, arguments,
      {std::cout, std::cerr, invlog::cli::terminal_width(STDOUT_FILENO),
       invlog::cli::terminal_width(STDERR_FILENO), invlog::run_agent, ignored_sigpipe});
}
