// The arguments of the commands about where calls may go, where they went, and what is kept of
// them: `invlog profiles`, `reconcile`, `policy` and `privacy`. As all of these classes
// (command_parts.h), it must outlive the parsing and what was chosen.
#pragma once

#include "agent/cli/command_parts.h"
#include "agent/cli/policy_command.h"
#include "agent/cli/privacy_command.h"
#include "agent/cli/profiles_command.h"
#include "agent/cli/reconcile_command.h"

namespace invlog::cli {

class ResidencyArguments {
 public:
  // `context` must outlive this.
  ResidencyArguments(CLI::App& app, const CommandLineContext& context, Choose choose);
  ResidencyArguments(const ResidencyArguments&) = delete;
  ResidencyArguments& operator=(const ResidencyArguments&) = delete;

 private:
  void add_profiles();
  void add_reconcile();
  void add_policy();
  void add_privacy();
  void add_profiles_list(CLI::App* command);

  CLI::App& app_;
  const CommandLineContext& context_;
  const Choose choose_;
  ProfilesListOptions profiles_list_;
  ProfilesShowOptions profiles_show_;
  ProfilesRefreshOptions profiles_refresh_;
  ReconcileOptions reconcile_;
  TimeRangeOptions reconcile_times_;
  PolicyTestOptions policy_test_;
  PolicyShowOptions policy_show_;
  PrivacyTestOptions privacy_test_;
};

}  // namespace invlog::cli
