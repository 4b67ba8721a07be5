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
#include "agent/config/nearest_name.h"
#include "agent/version.h"

namespace invlog::cli {
namespace {

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
      return app_.exit(error, context_.out, context_.err) == 0 ? kSuccess : kUsageError;
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
    const std::string nearest = config::nearest_name(word, names);
    context_.err << "invlog: there is no command \"" << printable(word) << "\""
                 << (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?")
                 << "\nRun with --help for more information.\n";
    return false;
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
