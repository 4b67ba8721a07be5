// The arguments of `invlog env` and `invlog exec`. As all of these classes (command_parts.h), it
// must outlive the parsing and what was chosen.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/cli/command_parts.h"
#include "agent/cli/program_commands.h"

namespace invlog::cli {

class ProgramArguments {
 public:
  // `context` must outlive this.
  ProgramArguments(CLI::App& app, const CommandLineContext& context, Choose choose);
  ProgramArguments(const ProgramArguments&) = delete;
  ProgramArguments& operator=(const ProgramArguments&) = delete;

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
