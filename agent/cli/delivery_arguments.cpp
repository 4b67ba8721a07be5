#include "agent/cli/delivery_arguments.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "agent/cli/command_line.h"
#include "agent/cli/option_checks.h"
#include "agent/config/units.h"

namespace invlog::cli {

DeliveryArguments::DeliveryArguments(CLI::App& app, const CommandLineContext& context,
                                     Choose choose)
    : app_(app), context_(context), choose_(std::move(choose)) {
  add_ship();
  add_dead_letters();
  add_doctor();
}

void DeliveryArguments::add_ship() {
  CLI::App* command = add_command(
      app_, "ship",
      "Deliver what is in the store to the configured destinations, now. A running agent does "
      "that by itself; both may run at the same time.",
      "  invlog ship --once\n"
      "  invlog ship --once --destination s3 --timeout 10m --json");
  add_store_options(command, ship_.store);
  command->add_flag("--once", ship_once_, "end when everything is delivered")->required();
  add_destination(command, ship_.destination, "s3 or cloudwatch_logs (default: each)");
  command
      ->add_option("--timeout", ship_timeout_,
                   "give up after so long without success, more than 0: 90s, 10m (default: never)")
      ->type_name("DURATION");
  command->add_flag("--json", ship_.json, "one JSON object");
  command->callback([this] {
    ship_.progress_width = context_.err_width;
    choose_([this] {
      if (ship_timeout_) {
        const auto timeout = config::parse_duration(*ship_timeout_);
        if (!timeout) {
          throw CLI::ValidationError("--timeout", timeout.error());
        }
        if (timeout->count() == 0) {
          throw CLI::ValidationError(
              "--timeout", "0 is no time to ship in; without --timeout it never gives up");
        }
        ship_.give_up_after = *timeout;
      }
      log_to_stderr("error");  // what delivery warns of, ship says by itself
      return run_ship(ship_, context_.out, context_.err);
    });
  });
}

void DeliveryArguments::add_dead_letters() {
  CLI::App* command =
      add_command(app_, "dead-letters",
                  "The records that a destination refused: see why, try again, or give up.",
                  "  invlog dead-letters list\n"
                  "  invlog dead-letters show 7\n"
                  "  invlog dead-letters retry --all --destination s3\n"
                  "  invlog dead-letters drop 7 8");
  command->require_subcommand(1);
  CLI::App* list = add_command(*command, "list", "Show them all.",
                               "  invlog dead-letters list\n"
                               "  invlog dead-letters list --destination s3 --json");
  add_store_options(list, letters_list_.store);
  add_destination(list, letters_list_.destination, "only those of s3 or cloudwatch_logs");
  list->add_flag("--json", letters_list_.json, "a JSON object per line");
  list->callback([this] {
    letters_list_.terminal_width = context_.out_width;
    choose_([this] { return run_dead_letters_list(letters_list_, context_.out, context_.err); });
  });
  CLI::App* show = add_command(*command, "show", "Show one, and how to see its record.",
                               "  invlog dead-letters show 7");
  add_store_options(show, letters_show_.store);
  show->add_option("ID", letters_show_.id, "a dead letter's number")
      ->required()
      ->transform(whole_number(1));
  show->add_flag("--json", letters_show_.json, "one JSON object");
  show->callback([this] {
    choose_([this] { return run_dead_letters_show(letters_show_, context_.out, context_.err); });
  });
  CLI::App* retry =
      add_command(*command, "retry",
                  "Ask for another attempt: a running agent makes it, else `invlog ship --once`.",
                  "  invlog dead-letters retry 7 8\n"
                  "  invlog dead-letters retry --all");
  add_choice(retry, letters_retry_);
  retry->callback([this] {
    choose_([this] { return run_dead_letters_retry(letters_retry_, context_.out, context_.err); });
  });
  CLI::App* drop =
      add_command(*command, "drop", "Give them up. Their records stay in the store, with an event.",
                  "  invlog dead-letters drop 7\n"
                  "  invlog dead-letters drop --all --destination cloudwatch_logs --yes");
  add_choice(drop, letters_drop_);
  drop->add_flag("--yes", letters_drop_.yes, "with --all: really all of them");
  drop->callback([this] {
    choose_([this] { return run_dead_letters_drop(letters_drop_, context_.out, context_.err); });
  });
}

void DeliveryArguments::add_choice(CLI::App* command, DeadLettersChangeOptions& options) {
  add_store_options(command, options.store);
  command->add_option("ID", options.choice.ids, "dead letters' numbers")
      ->transform(whole_number(1));
  command->add_flag("--all", options.choice.all, "every one");
  add_destination(command, options.choice.destination,
                  "with --all: only those of s3 or cloudwatch_logs");
}

void DeliveryArguments::add_doctor() {
  CLI::App* command =
      add_command(app_, "doctor",
                  "Check all that the agent needs: store, credentials, clock, Bedrock, and each "
                  "destination's Region and permissions. Exit code 1 if anything is wrong.",
                  "  invlog doctor\n"
                  "  invlog doctor --no-write --json");
  add_store_options(command, doctor_.store);
  command->add_flag("--json", doctor_.json, "one JSON object");
  command->add_flag_callback(
      "--no-write", [this] { doctor_.write = false; },
      "check only the destinations' Regions: no marker is written (a missing log group is made)");
  command->callback([this] {
    choose_([this] {
      log_to_stderr("off");  // what it finds, it prints
      return run_doctor(doctor_, context_.out, context_.err);
    });
  });
}

}  // namespace invlog::cli
