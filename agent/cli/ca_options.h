// The arguments of `invlog ca`; as ProgramOptions (program_options.h), it must outlive the parsing
// and what was chosen.
#pragma once

#include <functional>

#include "agent/cli/ca_command.h"

namespace CLI {
class App;
}

namespace invlog::cli {

struct CommandLineContext;

class CaOptions {
 public:
  // Called when the command line asks for a command, with what runs it.
  using Choose = std::function<void(std::function<int()>)>;

  // `context` must outlive this.
  CaOptions(CLI::App& app, const CommandLineContext& context, Choose choose);
  CaOptions(const CaOptions&) = delete;
  CaOptions& operator=(const CaOptions&) = delete;

 private:
  void add_changes(CLI::App& parent);
  void add_show(CLI::App& parent);
  void add_bundle(CLI::App& parent);

  const CommandLineContext& context_;
  const Choose choose_;
  AuthorityAccess change_;  // of init or rotate
  CaShowOptions show_;
  CaBundleOptions bundle_;
};

}  // namespace invlog::cli
