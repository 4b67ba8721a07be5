// The arguments of the commands about destinations: `invlog ship`, `dead-letters` and `doctor`.
// As all of these classes (command_parts.h), it must outlive the parsing and what was chosen.
#pragma once

#include <optional>
#include <string>

#include "agent/cli/command_parts.h"
#include "agent/cli/dead_letters_command.h"
#include "agent/cli/doctor_command.h"
#include "agent/cli/ship_command.h"

namespace invlog::cli {

class DeliveryArguments {
 public:
  // `context` must outlive this.
  DeliveryArguments(CLI::App& app, const CommandLineContext& context, Choose choose);
  DeliveryArguments(const DeliveryArguments&) = delete;
  DeliveryArguments& operator=(const DeliveryArguments&) = delete;

 private:
  void add_ship();
  void add_dead_letters();
  void add_doctor();
  void add_choice(CLI::App* command, DeadLettersChangeOptions& options);

  CLI::App& app_;
  const CommandLineContext& context_;
  const Choose choose_;
  ShipOptions ship_;
  bool ship_once_ = false;
  std::optional<std::string> ship_timeout_;
  DeadLettersListOptions letters_list_;
  DeadLettersShowOptions letters_show_;
  DeadLettersChangeOptions letters_retry_, letters_drop_;
  DoctorOptions doctor_;
};

}  // namespace invlog::cli
