// The arguments of the commands that look into the store: `invlog query`, `show`, `tail`,
// `search`, `usage` and `status`. As all of these classes (command_parts.h), it must outlive the
// parsing and what was chosen.
#pragma once

#include "agent/cli/command_parts.h"
#include "agent/cli/query_command.h"
#include "agent/cli/search_command.h"
#include "agent/cli/show_command.h"
#include "agent/cli/status_command.h"
#include "agent/cli/tail_command.h"
#include "agent/cli/usage_command.h"

namespace invlog::cli {

class QueryArguments {
 public:
  // `context` must outlive this.
  QueryArguments(CLI::App& app, const CommandLineContext& context, Choose choose);
  QueryArguments(const QueryArguments&) = delete;
  QueryArguments& operator=(const QueryArguments&) = delete;

 private:
  void add_query();
  void add_show();
  void add_tail();
  void add_search();
  void add_usage();
  void add_status();

  CLI::App& app_;
  const CommandLineContext& context_;
  const Choose choose_;
  QueryOptions query_;
  ShowOptions show_;
  TailOptions tail_;
  SearchOptions search_;
  TimeRangeOptions search_times_;
  UsageOptions usage_;
  TimeRangeOptions usage_times_;
  StatusOptions status_;
};

}  // namespace invlog::cli
