#include "agent/cli/agent_arguments.h"

#include <CLI/CLI.hpp>
#include <string_view>
#include <utility>

#include "agent/cli/agent_flags.h"
#include "agent/cli/command_line.h"
#include "agent/delivery/aws_access.h"
#include "storage/joined.h"

namespace invlog::cli {

AgentArguments::AgentArguments(CLI::App& app, const CommandLineContext& context, Choose choose)
    : app_(app), context_(context), choose_(std::move(choose)) {
  add_agent();
  add_check_config();
  add_config();
}

void AgentArguments::add_agent() {
  CLI::App* command = add_command(
      app_, "agent", "Run the agent: take calls, pass them on to Bedrock, and record them.",
      "  invlog agent --region eu-central-1 --state-dir /var/lib/invlog\n"
      "  invlog agent --config /etc/invlog/invlog.toml --listen unix:/run/invlog/invlog.sock");
  add_agent_options(command);
  command->callback([this] { choose_([this] { return run_agent(); }); });
}

// Also of the commands that say what the agent would make of them; one command runs, so they may
// share the variables.
void AgentArguments::add_agent_options(CLI::App* command) {
  command
      ->add_option("--config", agent_.config_file,
                   "configuration file (default: /etc/invlog/invlog.toml, if it exists); "
                   "conf.d/*.toml beside it are laid over it")
      ->type_name("FILE");
  for (const AgentFlag& flag : kAgentFlags) {
    command->add_option(flag.flag, agent_values_[flag.key], flag.description)
        ->type_name("VALUE")
        ->expected(1)
        ->allow_extra_args(false)  // else each word behind it would be another value
        ->multi_option_policy(std::string_view(flag.key) == "listen"
                                  ? CLI::MultiOptionPolicy::TakeAll
                                  : CLI::MultiOptionPolicy::TakeLast);
  }
}

void AgentArguments::take_agent_flags() {
  for (const auto& [key, values] : agent_values_) {
    if (!values.empty()) {
      agent_.flags[key] = storage::joined(values, ",");
    }
  }
  agent_.environment = aws::process_environment();
}

void AgentArguments::add_check_config() {
  CLI::App* command = add_command(
      app_, "check-config",
      "Check the configuration: says which files were read, and every problem with its place. "
      "Exit code 2 if there is one. Asks nobody and writes nothing.",
      "  invlog check-config\n"
      "  invlog check-config --config new/invlog.toml --json");
  add_agent_options(command);
  command->add_flag("--json", config_.json, "one JSON object");
  command->callback([this] {
    choose_([this] {
      take_config_sources();
      return run_check_config(config_, context_.out, context_.err);
    });
  });
}

void AgentArguments::add_config() {
  CLI::App* command = add_command(
      app_, "config", "Show what the configuration comes to, and where each value is from.",
      "  invlog config --effective\n"
      "  invlog config --effective --listen 127.0.0.1:0 --json");
  add_agent_options(command);
  command
      ->add_flag("--effective", config_effective_,
                 "every key with its value, as a configuration file with comments")
      ->required();
  command->add_flag("--json", config_.json, "one JSON object");
  command->callback([this] {
    choose_([this] {
      take_config_sources();
      return run_config_effective(config_, context_.out, context_.err);
    });
  });
}

void AgentArguments::take_config_sources() {
  take_agent_flags();
  config_.sources.file = agent_.config_file;
  config_.sources.flags = agent_.flags;
  config_.sources.environment = agent_.environment;
}

int AgentArguments::run_agent() {
  take_agent_flags();
  agent_.instance_region = [environment = agent_.environment] {
    return delivery::region_of_instance(environment);
  };
  agent_.run = context_.run_agent;
  return run_agent_command(agent_, context_.err);
}

}  // namespace invlog::cli
