#include "agent/cli/residency_arguments.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>
#include <utility>

#include "agent/cli/command_line.h"
#include "agent/cli/option_checks.h"
#include "agent/delivery/aws_access.h"

namespace invlog::cli {
namespace {

// What stands before `show` or `refresh` is the list's, and would be passed over.
void refuse_options_of_list(const CLI::App& profiles) {
  const std::string subcommand = profiles.get_subcommands().front()->get_name();
  for (const CLI::Option* option : profiles.get_options()) {
    if (subcommand != "list" && option->count() > 0)
      throw CLI::ValidationError(option->get_name(), "belongs behind `" + subcommand + "`");
  }
}

}  // namespace

ResidencyArguments::ResidencyArguments(CLI::App& app, const CommandLineContext& context,
                                       Choose choose)
    : app_(app), context_(context), choose_(std::move(choose)) {
  add_profiles();
  add_reconcile();
  add_policy();
  add_privacy();
}

void ResidencyArguments::add_profiles() {
  CLI::App* command = add_command(
      app_, "profiles",
      "Inference profiles: which are known, and where each sends calls from this source Region.",
      "  invlog profiles\n"
      "  invlog profiles --scope geographic --json\n"
      "  invlog profiles show eu.amazon.nova-2-lite-v1:0\n"
      "  invlog profiles refresh");
  add_profiles_list(command);
  add_profiles_list(add_command(*command, "list", "Show those that are known (the default).",
                                "  invlog profiles list --application"));
  CLI::App* show =
      add_command(*command, "show", "Where a call of this profile, model or ARN is processed.",
                  "  invlog profiles show eu.amazon.nova-2-lite-v1:0\n"
                  "  invlog profiles show arn:aws:bedrock:eu-central-1:123456789012:"
                  "application-inference-profile/1arbu5hu2sjr");
  add_store_options(show, profiles_show_.store);
  show->add_option("ID", profiles_show_.id, "an inference profile's or model's id, or an ARN")
      ->required();
  show->add_flag("--json", profiles_show_.json, "one JSON object");
  show->callback([this] {
    choose_([this] { return run_profiles_show(profiles_show_, context_.out, context_.err); });
  });
  CLI::App* refresh = add_command(
      *command, "refresh",
      "Ask the service now, as a running agent does each day. Exit code 1 if a geographic "
      "profile's destinations have changed, which AWS says they never do.",
      "  invlog profiles refresh\n"
      "  invlog profiles refresh --json");
  add_store_options(refresh, profiles_refresh_.store);
  refresh->add_flag("--json", profiles_refresh_.json, "a JSON object per change");
  refresh->callback([this] {
    choose_([this] { return run_profiles_refresh(profiles_refresh_, context_.out, context_.err); });
  });
}

void ResidencyArguments::add_profiles_list(CLI::App* command) {
  add_store_options(command, profiles_list_.store);
  command
      ->add_option("--scope", profiles_list_.scope,
                   "only those of this scope: in-region, geographic or global")
      ->type_name("SCOPE")
      ->transform(one_of({"in-region", "geographic", "global"}));
  command->add_flag("--application", profiles_list_.application, "only application profiles");
  command->add_flag("--json", profiles_list_.json, "a JSON object per line");
  command->callback([this, command] {
    if (!command->get_subcommands().empty()) {  // its callback came first
      refuse_options_of_list(*command);
      return;
    }
    profiles_list_.terminal_width = context_.out_width;
    choose_([this] { return run_profiles_list(profiles_list_, context_.out, context_.err); });
  });
}

void ResidencyArguments::add_reconcile() {
  CLI::App* command = add_command(
      app_, "reconcile",
      "Compare the store with CloudTrail: which calls the agent never saw, which records have no "
      "event, what was processed outside the Regions that its record names. Fills in where each "
      "call was processed. Exit code 1 if a call was processed outside, or a part of what "
      "CloudTrail has could not be read; then nothing is written down as compared.",
      "  invlog reconcile --cloudtrail lookup --since 7d\n"
      "  invlog reconcile --cloudtrail "
      "s3://my-trail/AWSLogs/123456789012/CloudTrail/eu-central-1/2026/10/\n"
      "  invlog reconcile --cloudtrail downloads/ --json > october.json");
  add_store_options(command, reconcile_.store);
  command
      ->add_option("--cloudtrail", reconcile_.cloudtrail,
                   "a trail's file, a folder of them, s3://bucket/prefix, or `lookup`: ask "
                   "CloudTrail, which keeps 90 days")
      ->type_name("SOURCE")
      ->required();
  add_time_options(command, reconcile_times_);
  command->add_flag("--all", reconcile_.all, "show whole lists, not the first 20 of each");
  command->add_flag("--json", reconcile_.json, "one JSON object, with whole lists");
  command->add_flag("--fail-on-unseen", reconcile_.fail_on_unseen,
                    "exit code 1 also for a call that the agent never saw");
  command->callback([this] {
    reconcile_.terminal_width = context_.out_width;
    reconcile_.progress_width = context_.err_width;
    choose_([this] {
      reconcile_.since_us = moment("--since", reconcile_times_.since);
      reconcile_.until_us = moment("--until", reconcile_times_.until);
      log_to_stderr("error");
      return run_reconcile(reconcile_, context_.out, context_.err);
    });
  });
}

void ResidencyArguments::add_policy() {
  CLI::App* command =
      add_command(app_, "policy", "What the configured [policy] says of a call, and its rules.",
                  "  invlog policy test --model global.amazon.nova-2-lite-v1:0\n"
                  "  invlog policy show");
  command->require_subcommand(1);
  CLI::App* test = add_command(
      *command, "test",
      "Explain where a call may be processed and whether it may leave the host. Exit code 1 if "
      "it would be denied, or if the store, which has the profiles, cannot be read.",
      "  invlog policy test --model global.amazon.nova-2-lite-v1:0\n"
      "  invlog policy test --model eu.amazon.nova-2-lite-v1:0 --caller ci-runner --json");
  add_store_options(test, policy_test_.store);
  test->add_option("--model", policy_test_.model, "a model's or a profile's id or ARN")
      ->type_name("ID")
      ->required();
  test->add_option("--caller", policy_test_.caller, "Unix user who calls (default: unknown)")
      ->type_name("USER");
  test->add_flag("--json", policy_test_.json, "one JSON object");
  test->callback([this] {
    choose_([this] { return run_policy_test(policy_test_, context_.out, context_.err); });
  });
  CLI::App* show = add_command(*command, "show",
                               "Show the rules in the order of evaluation; the first that "
                               "applies decides.",
                               "  invlog policy show\n"
                               "  invlog policy show --config /etc/invlog/invlog.toml --json");
  add_store_options(show, policy_show_.store);
  show->add_flag("--json", policy_show_.json, "one JSON object");
  show->callback([this] {
    policy_show_.terminal_width = context_.out_width;
    choose_([this] { return run_policy_show(policy_show_, context_.out, context_.err); });
  });
}

void ResidencyArguments::add_privacy() {
  CLI::App* command = add_command(app_, "privacy", "What [privacy] lets be kept of a call.",
                                  "  invlog privacy test request.json");
  command->require_subcommand(1);
  CLI::App* test = add_command(
      *command, "test",
      "Show what would be kept of a request or response body; which rules matched how often "
      "goes to the error output.",
      "  invlog privacy test request.json --config /etc/invlog/invlog.toml\n"
      "  invlog show 42 --request | invlog privacy test --json");
  test->add_option("FILE", privacy_test_.file, "the body (default: -, the input)");
  test->add_option("--config", privacy_test_.config_file,
                   "configuration file (default: /etc/invlog/invlog.toml)")
      ->type_name("FILE");
  test->add_flag("--json", privacy_test_.json, "one JSON object with the counts and the body");
  test->callback([this] {
    privacy_test_.environment = aws::process_environment();
    choose_(
        [this] { return run_privacy_test(privacy_test_, std::cin, context_.out, context_.err); });
  });
}

}  // namespace invlog::cli
