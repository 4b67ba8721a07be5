// `invlog env` and `invlog exec`: programs of this host call through the agent because their
// environment says so.
//
// exec becomes the program: no process stands between it and who started it, so that signals, exit
// code, terminal and process id are the program's own.
//
// Thread: the main one. Errors: exit codes with one line on `err`.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "agent/cli/agent_search.h"
#include "agent/cli/program_environment.h"

namespace invlog::cli {

struct EnvOptions {
  AgentSearch search;
  bool openai = false;
  VariableFormat format = VariableFormat::sh;
};

// The variables to `out`. Exit code 0, or as find_agent().
int run_env(const EnvOptions& options, std::ostream& out, std::ostream& err);

// What exec does to the world.
struct ProgramStarter {
  // Whether somebody listens there.
  std::function<bool(const AgentEndpoint&)> answers;
  std::function<std::chrono::steady_clock::time_point()> now;
  std::function<void(std::chrono::milliseconds)> sleep;
  // Does not come back if it succeeds; else errno.
  std::function<int(const std::vector<std::string>& program, const ProgramVariables& variables)>
      become;
};
// `ignore_sigpipe`: what the program is to find, whatever this process made of the signal.
ProgramStarter this_process(bool ignore_sigpipe);

struct ExecOptions {
  AgentSearch search;
  bool openai = false;
  // So long the agent may take to listen, before the program starts; none: it starts anyway.
  std::optional<std::chrono::milliseconds> wait;
  std::vector<std::string> program;  // and its arguments
};

// Exit codes of its own, as those of a shell: 127 no such program, 126 it cannot be executed; 1 no
// agent within `wait`; else as find_agent().
int run_exec(const ExecOptions& options, const ProgramStarter& starter, std::ostream& err);

}  // namespace invlog::cli
