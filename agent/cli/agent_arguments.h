// The arguments of `invlog agent`, `check-config` and `config`, which take the same flags
// (agent_flags.h). As all of these classes (command_parts.h), it must outlive the parsing and
// what was chosen.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/cli/agent_command.h"
#include "agent/cli/command_parts.h"
#include "agent/cli/config_command.h"

namespace invlog::cli {

class AgentArguments {
 public:
  // `context` must outlive this.
  AgentArguments(CLI::App& app, const CommandLineContext& context, Choose choose);
  AgentArguments(const AgentArguments&) = delete;
  AgentArguments& operator=(const AgentArguments&) = delete;

 private:
  void add_agent();
  void add_check_config();
  void add_config();
  void add_agent_options(CLI::App* command);
  void take_agent_flags();
  void take_config_sources();
  int run_agent();

  CLI::App& app_;
  const CommandLineContext& context_;
  const Choose choose_;
  AgentOptions agent_;
  std::map<std::string, std::vector<std::string>> agent_values_;
  ConfigOptions config_;
  bool config_effective_ = false;
};

}  // namespace invlog::cli
