// The arguments of `invlog env` and `invlog exec`.
//
// How a command has its arguments in a file of its own: an object that adds them to the
// application, keeps what they are parsed into, and chooses what is to run; it must outlive the
// parsing and what was chosen.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "agent/cli/program_commands.h"

namespace CLI {
class App;
}

namespace invlog::cli {

struct CommandLineContext;

class ProgramOptions {
 public:
  // Called when the command line asks for a command, with what runs it.
  using Choose = std::function<void(std::function<int()>)>;

  // `context` must outlive this.
  ProgramOptions(CLI::App& app, const CommandLineContext& context, Choose choose);
  ProgramOptions(const ProgramOptions&) = delete;
  ProgramOptions& operator=(const ProgramOptions&) = delete;

  // Of `invlog exec [OPTION...] -- CMD [ARG...]`, what stands behind the first `--` is the
  // program's and not to be looked at. Returns how many arguments are left to parse.
  int take_program(int argument_count, const char* const* arguments);

 private:
  void add_env();
  void add_exec();
  void add_search(CLI::App* command, AgentSearch& search, bool& openai);

  CLI::App& app_;
  const CommandLineContext& context_;
  const Choose choose_;
  EnvOptions env_;
  ExecOptions exec_;
  std::optional<std::string> wait_;
  std::vector<std::string> unmarked_;  // what stands where only options should
};

}  // namespace invlog::cli
