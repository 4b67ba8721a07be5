#include "agent/cli/program_arguments.h"

#include <CLI/CLI.hpp>
#include <string_view>
#include <utility>

#include "agent/cli/command_line.h"
#include "agent/cli/option_checks.h"
#include "agent/config/units.h"

namespace invlog::cli {

ProgramArguments::ProgramArguments(CLI::App& app, const CommandLineContext& context, Choose choose)
    : app_(app), context_(context), choose_(std::move(choose)) {
  add_env();
  add_exec();
}

void ProgramArguments::add_search(CLI::App* command, AgentSearch& search, bool& openai) {
  command
      ->add_option(
          "--config", search.config_file,
          "the agent's configuration file (default: /etc/invlog/invlog.toml, if it exists)")
      ->type_name("FILE");
  command->add_option("--state-dir", search.state_dir, "the agent's, where its status.json is")
      ->type_name("DIR");
  command
      ->add_option("--listen", search.listen,
                   "where the agent listens (default: what a running agent says, then systemd's "
                   "socket unit, then the configuration); means --mode endpoint, unless --mode "
                   "says otherwise")
      ->type_name("HOST:PORT");
  command
      ->add_option("--mode", search.mode,
                   "endpoint: programs call the agent, which signs anew; proxy: they call Bedrock "
                   "through it, with their own signature (default: proxy if there is a "
                   "certificate authority, see `invlog ca`, and [proxy] listens)")
      ->transform(one_of<CallMode>({{"endpoint", CallMode::endpoint}, {"proxy", CallMode::proxy}}))
      ->type_name("MODE");
  command->add_flag("--openai", openai,
                    "OPENAI_BASE_URL too: leads OpenAI's SDK to Bedrock, away from OpenAI; its key "
                    "must then be one of Bedrock's");
}

void ProgramArguments::add_env() {
  CLI::App* command = add_command(
      app_, "env",
      "Print what to set so that programs call Bedrock through the agent: the endpoint for AWS's "
      "and Anthropic's SDKs, the Region for a program that has none, and NO_PROXY where a proxy "
      "for plain HTTP (HTTP_PROXY, ALL_PROXY) is set. In proxy mode: HTTPS_PROXY (one that is set "
      "is replaced; the agent itself uses the one "
      "in its environment), what makes programs trust `invlog ca`, and that a plain-HTTP endpoint "
      "for Bedrock is unset (sh and json only).",
      "  invlog env\n"
      "  invlog env --mode proxy\n"
      "  eval \"$(invlog env)\"\n"
      "  invlog env --format systemd > /etc/my-app/bedrock.env   # EnvironmentFile=\n"
      "  invlog env --format docker > bedrock.env   # docker run --network host --env-file");
  add_search(command, env_.search, env_.openai);
  CLI::Option* format =
      command
          ->add_option("--format", env_.format,
                       "sh (export NAME='value'), systemd (EnvironmentFile=) or "
                       "docker (--env-file) (default: sh)")
          ->transform(one_of<VariableFormat>({{"sh", VariableFormat::sh},
                                              {"systemd", VariableFormat::systemd},
                                              {"docker", VariableFormat::docker}}))
          ->type_name("FORMAT");
  command
      ->add_flag_callback(
          "--json", [this] { env_.format = VariableFormat::json; }, "one JSON object")
      ->excludes(format);
  command->callback(
      [this] { choose_([this] { return run_env(env_, context_.out, context_.err); }); });
}

void ProgramArguments::add_exec() {
  CLI::App* command = add_command(
      app_, "exec",
      "Run a program that calls Bedrock through the agent: sets what `invlog env` prints and "
      "becomes the program; in proxy mode unsets a plain-HTTP endpoint for Bedrock. Exit code: the "
      "program's; 127 if there is no such program, 126 if it "
      "cannot be executed.",
      "  invlog exec -- python3 app.py --verbose\n"
      "  invlog exec --wait 10s -- node server.js");
  add_search(command, exec_.search, exec_.openai);
  command
      ->add_option("--wait", wait_,
                   "wait so long for the agent to listen, and without it do not start the program: "
                   "10s, 1m (default: a warning)")
      ->type_name("DURATION");
  command->add_option("CMD", unmarked_, "the program and its arguments, behind a --");
  command->callback([this] {
    if (!unmarked_.empty() || exec_.program.empty()) {
      throw CLI::ValidationError(
          "CMD", "write -- before the program: invlog exec -- " +
                     (unmarked_.empty() ? std::string("CMD ARG...") : unmarked_.front() + " ..."));
    }
    choose_([this] {
      if (wait_) {
        const auto wait = config::parse_duration(*wait_);
        if (!wait)
          throw CLI::ValidationError("--wait", wait.error());
        exec_.wait = *wait;
      }
      return run_exec(exec_, this_process(context_.ignored_sigpipe), context_.err);
    });
  });
}

int ProgramArguments::take_program(int argument_count, const char* const* arguments) {
  if (argument_count < 2 || std::string_view(arguments[1]) != "exec")
    return argument_count;
  for (int index = 2; index < argument_count; ++index) {
    if (std::string_view(arguments[index]) == "--") {
      exec_.program.assign(arguments + index + 1, arguments + argument_count);
      return index;
    }
  }
  return argument_count;
}

}  // namespace invlog::cli
