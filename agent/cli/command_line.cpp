#include "agent/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/cli/agent_arguments.h"
#include "agent/cli/ca_arguments.h"
#include "agent/cli/delivery_arguments.h"
#include "agent/cli/display_text.h"
#include "agent/cli/program_arguments.h"
#include "agent/cli/query_arguments.h"
#include "agent/cli/residency_arguments.h"
#include "agent/cli/store_arguments.h"
#include "agent/config/config_file.h"
#include "agent/version.h"

namespace invlog::cli {
namespace {

std::string unknown(const char* what, const std::string& word,
                    const std::vector<std::string_view>& known) {
  return std::string("there is no ") + what + " \"" + printable(word) + "\"" +
         config::suggestion(word, known);
}

std::string unknown_option(const CLI::App& command, const std::string& word) {
  std::vector<std::string> options;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      options.push_back("--" + name);
    }
  }
  return unknown("option", word.substr(0, word.find('=')), {options.begin(), options.end()});
}

// What the command does not take of what follows it, "" it takes all.
std::string unexpected_in(const CLI::App& command) {
  const std::vector<std::string> left = command.remaining();
  for (const std::string& word : left) {
    if (word.starts_with('-') && word.find_first_not_of('-') != std::string::npos) {
      return unknown_option(command, word);
    }
  }
  if (left.empty()) {
    return "";
  }
  std::vector<std::string_view> names;
  for (const CLI::App* own : command.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(own->get_name());
  }
  return names.empty() ? "nothing is expected where \"" + printable(left.front()) + "\" stands"
                       : unknown("command", left.front(), names);
}

class CommandLine {
 public:
  explicit CommandLine(const CommandLineContext& context)
      : context_(context),
        app_(
            "invlog: invocation logging for Amazon Bedrock.\n"
            "Exit codes: 0 success, 1 failure, 2 wrong usage or configuration.",
            "invlog") {
    app_.set_version_flag("--version", std::string("invlog ") + kVersion, "show the version");
    app_.require_subcommand(1);
    app_.footer("`invlog COMMAND --help` explains a command and shows examples.");
    const auto choose = [this](std::function<int()> run) { run_ = std::move(run); };
    agent_.emplace(app_, context, choose);
    query_.emplace(app_, context, choose);
    store_.emplace(app_, context, choose);
    delivery_.emplace(app_, context, choose);
    residency_.emplace(app_, context, choose);
    authority_.emplace(app_, context, choose);
    programs_.emplace(app_, context, choose);
  }

  int run(int argument_count, const char* const* arguments) {
    if (argument_count > 1 && !known_command(arguments[1])) {
      return kUsageError;
    }
    argument_count = programs_->take_program(argument_count, arguments);
    try {
      app_.parse(argument_count, arguments);
    } catch (const CLI::ParseError& error) {
      if (error.get_exit_code() == 0) {  // --help, --version
        return app_.exit(error, context_.out, context_.err);
      }
      refuse(cause_of(error));
      return kUsageError;
    }
    try {
      const int exit_code = run_();
      context_.out.flush();
      if (!context_.out && exit_code == kSuccess) {
        context_.err << "invlog: the output could not be written\n";
        return kFailure;
      }
      return exit_code;
    } catch (const CLI::ParseError& error) {
      context_.err << "invlog: " << error.what() << '\n';
      return kUsageError;
    } catch (const std::exception& error) {
      context_.err << "invlog: " << error.what() << '\n';
      return kFailure;
    }
  }

 private:
  // CLI11 would only say that a command is missing.
  bool known_command(const std::string& word) {
    std::vector<std::string_view> names;
    for (const CLI::App* command : app_.get_subcommands([](const CLI::App*) { return true; })) {
      names.push_back(command->get_name());
    }
    if (word.starts_with('-') || std::find(names.begin(), names.end(), word) != names.end()) {
      return true;
    }
    refuse(unknown("command", word, names));
    return false;
  }

  void refuse(const std::string& cause) const {
    context_.err << "invlog: " << cause << "\nRun with --help for more information.\n";
  }

  // What is not known comes before what is missing: it may be that.
  std::string cause_of(const CLI::ParseError& error) const {
    for (const CLI::App* command = &app_; command != nullptr;) {
      if (std::string unexpected = unexpected_in(*command); !unexpected.empty()) {
        return unexpected;
      }
      const auto chosen = command->get_subcommands();
      command = chosen.empty() ? nullptr : chosen.front();
    }
    return error.what();
  }

  const CommandLineContext& context_;
  CLI::App app_;
  std::function<int()> run_;
  std::optional<AgentArguments> agent_;
  std::optional<QueryArguments> query_;
  std::optional<StoreArguments> store_;
  std::optional<DeliveryArguments> delivery_;
  std::optional<ResidencyArguments> residency_;
  std::optional<CaArguments> authority_;
  std::optional<ProgramArguments> programs_;
};

}  // namespace

int run_command_line(int argument_count, const char* const* arguments,
                     const CommandLineContext& context) {
  return CommandLine(context).run(argument_count, arguments);
}

}  // namespace invlog::cli
