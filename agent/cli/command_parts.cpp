#include "agent/cli/command_parts.h"

#include <CLI/CLI.hpp>

#include "agent/cli/command_line.h"
#include "agent/cli/option_checks.h"
#include "agent/cli/time_option.h"
#include "storage/time_text.h"

namespace invlog::cli {

CLI::App* add_command(CLI::App& parent, const char* name, const char* description,
                      const char* examples) {
  CLI::App* command = parent.add_subcommand(name, description);
  command->footer(std::string("Examples:\n") + examples);
  return command;
}

void add_store_options(CLI::App* command, StoreOptions& options) {
  command
      ->add_option("--config", options.config_file,
                   "configuration file (default: /etc/invlog/invlog.toml)")
      ->type_name("FILE");
  command->add_option("--state-dir", options.state_dir, "directory of the store")->type_name("DIR");
  command->add_option("--store", options.store, "the store itself, a <region>.db")
      ->type_name("FILE");
}

void add_time_options(CLI::App* command, TimeRangeOptions& options) {
  command
      ->add_option("--since", options.since,
                   "calls from then on: 2026-10-05, 2026-10-05T14:00Z, 12h, 7d")
      ->type_name("TIME");
  command->add_option("--until", options.until, "calls before then")->type_name("TIME");
}

std::optional<std::int64_t> moment(const char* flag, const std::optional<std::string>& text) {
  if (!text) {
    return std::nullopt;
  }
  const auto parsed = parse_time(*text, storage::system_now_us());
  if (!parsed) {
    throw CLI::ValidationError(flag, parsed.error());
  }
  return *parsed;
}

void add_formats(CLI::App* command, RowFormat& format) {
  CLI::Option* json = command->add_flag_callback(
      "--json", [&format] { format = RowFormat::json; }, "a JSON object per line");
  command
      ->add_flag_callback(
          "--csv", [&format] { format = RowFormat::csv; }, "RFC 4180, with a header")
      ->excludes(json);
}

void add_destination(CLI::App* command, std::string& destination, const char* description) {
  command->add_option("--destination", destination, description)
      ->type_name("NAME")
      ->transform(one_of({"s3", "cloudwatch_logs"}));
}

int progress_width(const CommandLineContext& context) {
  return context.out_width > 0 ? 0 : context.err_width;
}

}  // namespace invlog::cli
