#include "agent/cli/ca_arguments.h"

#include <CLI/CLI.hpp>
#include <string>
#include <utility>

#include "agent/cli/command_line.h"
#include "agent/cli/option_checks.h"
#include "agent/delivery/aws_access.h"

namespace invlog::cli {
namespace {

CLI::App* add_command_with(AuthorityAccess& access, CLI::App& parent, const char* name,
                           const char* description, const char* examples) {
  CLI::App* command = add_command(parent, name, description, examples);
  command
      ->add_option("--config", access.config_file,
                   "configuration file (default: /etc/invlog/invlog.toml, if it exists)")
      ->type_name("FILE");
  command
      ->add_option("--region", access.region,
                   "source Region (default: the configured one, AWS_REGION, the EC2 instance's)")
      ->type_name("REGION");
  command
      ->add_option("--state-dir", access.state_dir,
                   "the agent's, where the authority is (default: /var/lib/invlog)")
      ->type_name("DIR");
  return command;
}

}  // namespace

CaArguments::CaArguments(CLI::App& app, const CommandLineContext& context, Choose choose)
    : context_(context), choose_(std::move(choose)) {
  CLI::App* command = add_command(
      app, "ca",
      "The certificate authority of proxy mode, which programs trust so that the agent can answer "
      "for Bedrock of the source Region, and for no other host.",
      "  invlog ca init --region eu-central-1\n"
      "  invlog ca show\n"
      "  invlog ca rotate\n"
      "  invlog ca bundle --output bundle.pem");
  command->require_subcommand(1);
  change_.instance_region = [environment = change_.environment] {
    return delivery::region_of_instance(environment);
  };
  add_changes(*command);
  add_show(*command);
  add_bundle(*command);
}

void CaArguments::add_changes(CLI::App& parent) {
  CLI::App* init = add_command_with(
      change_, parent, "init",
      "Make it: ca.pem, its key (for the agent alone), and ca-bundle.pem, which has the system's "
      "certificate authorities, too. Run it as root or as the agent's user.",
      "  sudo invlog ca init\n"
      "  invlog ca init --region eu-central-1 --state-dir /var/lib/invlog");
  init->callback(
      [this] { choose_([this] { return run_ca_init(change_, context_.out, context_.err); }); });
  CLI::App* rotate = add_command_with(
      change_, parent, "rotate",
      "Replace its key and certificate: after [proxy] hosts has changed, or before it expires. "
      "Programs that trust the old one go on, and go on trusting its key: if somebody else may "
      "have "
      "that, remove ca.pem and `invlog ca init` instead.",
      "  sudo invlog ca rotate && sudo systemctl reload invlog");
  rotate->callback(
      [this] { choose_([this] { return run_ca_rotate(change_, context_.out, context_.err); }); });
}

void CaArguments::add_show(CLI::App& parent) {
  CLI::App* command = add_command_with(
      show_.access, parent, "show",
      "Show the certificates that programs trust, and which is in use. Exit code 1 if the agent "
      "could use none.",
      "  invlog ca show\n"
      "  invlog ca show --json\n"
      "  invlog ca show --pem > /etc/my-app/invlog-ca.pem");
  CLI::Option* json = command->add_flag("--json", show_.json, "one JSON object");
  command->add_flag("--pem", show_.pem, "the certificates themselves, nothing else")
      ->excludes(json);
  command->callback(
      [this] { choose_([this] { return run_ca_show(show_, context_.out, context_.err); }); });
}

void CaArguments::add_bundle(CLI::App& parent) {
  CLI::App* command = add_command_with(
      bundle_.access, parent, "bundle",
      "Print the system's certificate authorities and invlog's, for variables that replace what a "
      "program trusts: AWS_CA_BUNDLE, SSL_CERT_FILE, REQUESTS_CA_BUNDLE. The system's are "
      "OpenSSL's, or those of SSL_CERT_FILE and SSL_CERT_DIR. What SSL_CERT_FILE adds to "
      "OpenSSL's, "
      "--update keeps in ca-extra.pem for every later bundle; remove that file to be rid of it.",
      "  invlog ca bundle --output bundle.pem\n"
      "  sudo invlog ca bundle --update   # after the system's have changed\n"
      "  sudo SSL_CERT_FILE=/etc/ssl/company.pem invlog ca bundle --update");
  CLI::Option* output =
      command
          ->add_option("--output", bundle_.output, "a file, whole or not at all; - or none: print")
          ->type_name("FILE")
          ->transform(file_name());
  command
      ->add_flag("--update", bundle_.update,
                 "write ca-bundle.pem in the state directory again, which `invlog env` names")
      ->excludes(output);
  command->callback(
      [this] { choose_([this] { return run_ca_bundle(bundle_, context_.out, context_.err); }); });
}

}  // namespace invlog::cli
