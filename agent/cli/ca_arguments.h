// The arguments of `invlog ca`. As all of these classes (command_parts.h), it must outlive the
// parsing and what was chosen.
#pragma once

#include "agent/cli/ca_command.h"
#include "agent/cli/command_parts.h"

namespace invlog::cli {

class CaArguments {
 public:
  // `context` must outlive this.
  CaArguments(CLI::App& app, const CommandLineContext& context, Choose choose);
  CaArguments(const CaArguments&) = delete;
  CaArguments& operator=(const CaArguments&) = delete;

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
