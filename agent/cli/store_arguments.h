// The arguments of the commands that take the store as a whole: `invlog verify`, `erase`,
// `export` and `report`. As all of these classes (command_parts.h), it must outlive the parsing
// and what was chosen.
#pragma once

#include "agent/cli/command_parts.h"
#include "agent/cli/erase_command.h"
#include "agent/cli/export_command.h"
#include "agent/cli/report_command.h"
#include "agent/cli/verify_command.h"

namespace invlog::cli {

class StoreArguments {
 public:
  // `context` must outlive this.
  StoreArguments(CLI::App& app, const CommandLineContext& context, Choose choose);
  StoreArguments(const StoreArguments&) = delete;
  StoreArguments& operator=(const StoreArguments&) = delete;

 private:
  void add_verify();
  void add_erase();
  void add_export();
  void add_report();

  CLI::App& app_;
  const CommandLineContext& context_;
  const Choose choose_;
  VerifyOptions verify_;
  EraseOptions erase_;
  ExportOptions export_;
  TimeRangeOptions export_times_;
  ReportOptions report_;
  TimeRangeOptions report_times_;
};

}  // namespace invlog::cli
