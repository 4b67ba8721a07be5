#include "agent/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "agent/cli/agent_command.h"
#include "agent/cli/agent_flags.h"
#include "agent/cli/ca_options.h"
#include "agent/cli/config_command.h"
#include "agent/cli/dead_letters_command.h"
#include "agent/cli/display_text.h"
#include "agent/cli/doctor_command.h"
#include "agent/cli/erase_command.h"
#include "agent/cli/export_command.h"
#include "agent/cli/option_checks.h"
#include "agent/cli/output_file.h"
#include "agent/cli/policy_command.h"
#include "agent/cli/privacy_command.h"
#include "agent/cli/profiles_command.h"
#include "agent/cli/program_options.h"
#include "agent/cli/query_command.h"
#include "agent/cli/reconcile_command.h"
#include "agent/cli/report_command.h"
#include "agent/cli/search_command.h"
#include "agent/cli/ship_command.h"
#include "agent/cli/show_command.h"
#include "agent/cli/status_command.h"
#include "agent/cli/tail_command.h"
#include "agent/cli/time_option.h"
#include "agent/cli/usage_command.h"
#include "agent/cli/verify_command.h"
#include "agent/config/nearest_name.h"
#include "agent/config/units.h"
#include "agent/delivery/aws_access.h"
#include "agent/version.h"
#include "storage/time_text.h"

namespace invlog::cli {
namespace {

// Text that --since and --until turn into a moment.
struct TimeRangeOptions {
  std::optional<std::string> since, until;
};

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
    add_agent();
    add_check_config();
    add_config();
    add_query();
    add_show();
    add_tail();
    add_search();
    add_usage();
    add_status();
    add_verify();
    add_erase();
    add_export();
    add_report();
    add_ship();
    add_dead_letters();
    add_profiles();
    add_doctor();
    add_reconcile();
    add_policy();
    add_privacy();
    const auto choose = [this](std::function<int()> run) { run_ = std::move(run); };
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

  CLI::App* add_command(const char* name, const char* description, const char* examples) {
    return add_command(app_, name, description, examples);
  }

  static CLI::App* add_command(CLI::App& parent, const char* name, const char* description,
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
    command->add_option("--state-dir", options.state_dir, "directory of the store")
        ->type_name("DIR");
    command->add_option("--store", options.store, "the store itself, a <region>.db")
        ->type_name("FILE");
  }

  static void add_time_options(CLI::App* command, TimeRangeOptions& options) {
    command
        ->add_option("--since", options.since,
                     "calls from then on: 2026-10-05, 2026-10-05T14:00Z, 12h, 7d")
        ->type_name("TIME");
    command->add_option("--until", options.until, "calls before then")->type_name("TIME");
  }

  static std::optional<std::int64_t> moment(const char* flag,
                                            const std::optional<std::string>& text) {
    if (!text) {
      return std::nullopt;
    }
    const auto parsed = parse_time(*text, storage::system_now_us());
    if (!parsed) {
      throw CLI::ValidationError(flag, parsed.error());
    }
    return *parsed;
  }

  void add_agent() {
    CLI::App* command = add_command(
        "agent", "Run the agent: take calls, pass them on to Bedrock, and record them.",
        "  invlog agent --region eu-central-1 --state-dir /var/lib/invlog\n"
        "  invlog agent --config /etc/invlog/invlog.toml --listen unix:/run/invlog/invlog.sock");
    add_agent_options(command);
    command->callback([this] { run_ = [this] { return run_agent(); }; });
  }

  // Also of the commands that say what the agent would make of them; one command runs, so they may
  // share the variables.
  void add_agent_options(CLI::App* command) {
    command
        ->add_option("--config", agent_.config_file,
                     "configuration file (default: /etc/invlog/invlog.toml, if it exists); "
                     "conf.d/*.toml beside it are laid over it")
        ->type_name("FILE");
    for (const AgentFlag& flag : kAgentFlags) {
      command->add_option(flag.flag, agent_values_[flag.key], flag.description)
          ->type_name("VALUE")
          ->expected(1)
          ->multi_option_policy(std::string_view(flag.key) == "listen"
                                    ? CLI::MultiOptionPolicy::TakeAll
                                    : CLI::MultiOptionPolicy::TakeLast);
    }
  }

  void take_agent_flags() {
    for (const auto& [key, values] : agent_values_) {
      if (!values.empty()) {
        std::string& joined = agent_.flags[key];
        for (const std::string& value : values) {
          joined += (joined.empty() ? "" : ",") + value;
        }
      }
    }
    agent_.environment = aws::process_environment();
  }

  void add_check_config() {
    CLI::App* command = add_command(
        "check-config",
        "Check the configuration: says which files were read, and every problem with its place. "
        "Exit code 2 if there is one. Asks nobody and writes nothing.",
        "  invlog check-config\n"
        "  invlog check-config --config new/invlog.toml --json");
    add_agent_options(command);
    command->add_flag("--json", config_.json, "one JSON object");
    command->callback([this] {
      run_ = [this] {
        take_config_sources();
        return run_check_config(config_, context_.out, context_.err);
      };
    });
  }

  void add_config() {
    CLI::App* command =
        add_command("config", "Show what the configuration comes to, and where each value is from.",
                    "  invlog config --effective\n"
                    "  invlog config --effective --listen 127.0.0.1:0 --json");
    add_agent_options(command);
    command
        ->add_flag("--effective", config_effective_,
                   "every key with its value, as a configuration file with comments")
        ->required();
    command->add_flag("--json", config_.json, "one JSON object");
    command->callback([this] {
      run_ = [this] {
        take_config_sources();
        return run_config_effective(config_, context_.out, context_.err);
      };
    });
  }

  void take_config_sources() {
    take_agent_flags();
    config_.sources.file = agent_.config_file;
    config_.sources.flags = agent_.flags;
    config_.sources.environment = agent_.environment;
  }

  int run_agent() {
    take_agent_flags();
    agent_.instance_region = [environment = agent_.environment] {
      return delivery::region_of_instance(environment);
    };
    agent_.run = context_.run_agent;
    return run_agent_command(agent_, context_.err);
  }

  void add_query() {
    CLI::App* command = add_command(
        "query",
        "Run SQL on the store. The view `invocations` has a row per call. While a statement runs, "
        "the write-ahead log of a running agent cannot be emptied: on a store that has reached its "
        "max_size, one that runs for long makes the agent's commits fail until it ends.",
        "  invlog query \"SELECT day, sum(output_tokens) FROM invocations GROUP BY day\"\n"
        "  invlog query --json \"SELECT id, invlog_request(id) AS request FROM invocations ORDER "
        "BY id DESC LIMIT 1\"\n"
        "  invlog query \"SELECT id, day FROM invocations WHERE invlog_contains(id, 'order "
        "4711')\"\n"
        "  invlog query --csv \"SELECT * FROM invocations WHERE error IS NOT NULL OR status >= "
        "400\" "
        "> errors.csv");
    add_store_options(command, query_.store);
    command->add_option("SQL", query_.sql, "one statement or several")->required();
    add_formats(command, query_.format, true);
    command->callback([this] {
      query_.terminal_width = context_.out_width;
      run_ = [this] { return run_query(query_, context_.out, context_.err); };
    });
  }

  static void add_formats(CLI::App* command, RowFormat& format, bool csv) {
    CLI::Option* json = command->add_flag_callback(
        "--json", [&format] { format = RowFormat::json; }, "a JSON object per line");
    if (csv) {
      command
          ->add_flag_callback(
              "--csv", [&format] { format = RowFormat::csv; }, "RFC 4180, with a header")
          ->excludes(json);
    }
  }

  void add_show() {
    CLI::App* command = add_command("show", "Show one record with its request and response.",
                                    "  invlog show 42\n"
                                    "  invlog show 0f7ad5ad-19b5-4eb6-8a22-2a4b8a62ab11 --record\n"
                                    "  invlog show 42 --response > response.json");
    add_store_options(command, show_.store);
    command->add_option("ID", show_.id, "a record's number, or a request id")->required();
    auto* what = command->add_option_group("what", "what to show");
    const auto add = [&](const char* flag, ShowWhat value, const char* description) {
      what->add_flag_callback(
          flag, [this, value] { show_.what = value; }, description);
    };
    add("--record", ShowWhat::record, "the line of AWS's log schema");
    add("--request", ShowWhat::request, "the request's bytes, nothing else");
    add("--response", ShowWhat::response, "the response's bytes, nothing else");
    add("--json", ShowWhat::json, "one JSON object");
    what->require_option(0, 1);
    command->callback([this] {
      show_.terminal = context_.out_width > 0;
      run_ = [this] { return run_show(show_, context_.out, context_.err); };
    });
  }

  void add_tail() {
    CLI::App* command = add_command("tail", "Show the newest records.",
                                    "  invlog tail -n 50\n"
                                    "  invlog tail -f");
    add_store_options(command, tail_.store);
    command->add_flag("-f,--follow", tail_.follow, "go on with each new record");
    command->add_option("-n,--lines", tail_.records, "how many to begin with (default: 10)")
        ->type_name("N")
        ->transform(whole_number(0));
    command->add_flag("--json", tail_.json, "a JSON object per line");
    command->callback([this] {
      tail_.terminal_width = context_.out_width;
      run_ = [this] { return run_tail(tail_, context_.out, context_.err); };
    });
  }

  void add_search() {
    CLI::App* command =
        add_command("search", "Find the calls whose request or response contains a text.",
                    "  invlog search \"order 4711\"\n"
                    "  invlog search --in response --since 7d --limit 20 apology");
    add_store_options(command, search_.store);
    command->add_option("TEXT", search_.text, "as it stands, no pattern; case counts")->required();
    command->add_option("--in", search_.where, "request, response or both (default: both)")
        ->transform(one_of<storage::Bodies>({{"request", storage::Bodies::request},
                                             {"response", storage::Bodies::response},
                                             {"both", storage::Bodies::both}}))
        ->type_name("BODY");
    add_time_options(command, search_times_);
    command->add_option("--limit", search_.limit, "stop after so many records")
        ->type_name("N")
        ->transform(whole_number(1));
    command->add_flag("--json", search_.json, "a JSON object per line");
    command->callback([this] {
      search_.progress_width = progress_width();
      run_ = [this] {
        search_.since_us = moment("--since", search_times_.since);
        search_.until_us = moment("--until", search_times_.until);
        return run_search(search_, context_.out, context_.err);
      };
    });
  }

  void add_usage() {
    CLI::App* command = add_command("usage",
                                    "Add up calls, errors, tokens and latency. An error is a call "
                                    "without a complete, successful response.",
                                    "  invlog usage --by model\n"
                                    "  invlog usage --by day --since 30d --csv > usage.csv");
    add_store_options(command, usage_.store);
    command
        ->add_option("--by", usage_.by,
                     "model, day, caller, decision, profile or scope (default: model)")
        ->transform(one_of<UsageBy>({{"model", UsageBy::model},
                                     {"day", UsageBy::day},
                                     {"caller", UsageBy::caller},
                                     {"decision", UsageBy::decision},
                                     {"profile", UsageBy::profile},
                                     {"scope", UsageBy::scope}}))
        ->type_name("KEY");
    add_time_options(command, usage_times_);
    add_formats(command, usage_.format, true);
    command->callback([this] {
      usage_.terminal_width = context_.out_width;
      run_ = [this] {
        usage_.since_us = moment("--since", usage_times_.since);
        usage_.until_us = moment("--until", usage_times_.until);
        return run_usage(usage_, context_.out, context_.err);
      };
    });
  }

  void add_status() {
    CLI::App* command = add_command(
        "status",
        "Show the store's size, the agent's state, how far each destination is, and the "
        "last errors.",
        "  invlog status\n"
        "  invlog status --json");
    add_store_options(command, status_.store);
    command->add_flag("--json", status_.json, "one JSON object");
    command->callback(
        [this] { run_ = [this] { return run_status(status_, context_.out, context_.err); }; });
  }

  void add_verify() {
    CLI::App* command = add_command(
        "verify",
        "Check every checksum, every digest and their chain. Exit code 1 if anything is "
        "wrong. That the newest part was cut off, or the whole store put back to an older state, "
        "shows only against a chain head that was kept elsewhere: with each delivery the "
        "destinations are given the head, and --delivered asks them for it. A running agent goes "
        "on; only SQLite's check of the file, which comes first and reads it once as a whole, "
        "keeps its write-ahead log from being emptied.",
        "  invlog verify\n"
        "  invlog verify --delivered\n"
        "  invlog verify --store backup/eu-central-1.db --json\n"
        "  invlog verify --heads heads-kept-elsewhere.txt");
    add_store_options(command, verify_.store);
    command
        ->add_option("--head", verify_.heads,
                     "the chain must have this head, as verify prints it; may be repeated")
        ->type_name("SEGMENT:HEX");
    command
        ->add_option("--heads", verify_.heads_file,
                     "a file of such heads, one in a line; one without any is an error")
        ->type_name("FILE")
        ->transform(file_name());
    command->add_flag("--delivered", verify_.delivered,
                      "ask S3 and CloudWatch Logs, as configured, for the newest heads they keep");
    command->add_flag("--json", verify_.json, "one JSON object");
    command->callback([this] {
      verify_.progress_width = context_.err_width;
      run_ = [this] { return run_verify(verify_, context_.out, context_.err); };
    });
  }

  void add_erase() {
    CLI::App* command = add_command(
        "erase",
        "Erase the bodies of records for good: out of the file's bytes, with an event in the "
        "chain. "
        "Times, model, tokens, caller and outcome stay. Without --yes it only shows what it would "
        "do. A running agent goes on; but as with `invlog query`, not for ever while --where "
        "searches a store that has reached its max_size.",
        "  invlog erase --where \"caller = 'jane' AND day < '2026-10-01'\"\n"
        "  invlog erase --where \"invlog_contains(id, 'Jürgen Müller')\" --reason \"request 17\" "
        "--yes\n"
        "  invlog erase --request-id 0f7ad5ad-19b5-4eb6-8a22-2a4b8a62ab11 --yes");
    add_store_options(command, erase_.store);
    auto* where = command
                      ->add_option("--where", erase_.scope.where,
                                   "one SQL expression over the view `invocations`; also "
                                   "invlog_contains(id, 'text'), which looks into request and "
                                   "response in every way JSON writes a text, "
                                   "invlog_request(id) and invlog_response(id)")
                      ->type_name("SQL");
    command->add_option("--request-id", erase_.scope.request_ids, "these calls")
        ->type_name("ID")
        ->excludes(where);
    command
        ->add_option("--reason", erase_.reason,
                     "why, kept in the event for good: name nobody in it")
        ->type_name("TEXT");
    command->add_flag("--yes", erase_.yes, "do it: it cannot be undone");
    command->add_flag("--json", erase_.json, "one JSON object");
    command->callback([this] {
      erase_.progress_width = context_.err_width;
      run_ = [this] { return run_erase(erase_, context_.out, context_.err); };
    });
  }

  void add_export() {
    CLI::App* command = add_command(
        "export", "Write the records in AWS's log schema, a JSON object per line.",
        "  invlog export --since 2026-10-01 --until 2026-11-01 --output october.ndjson\n"
        "  invlog export --gzip --output all.ndjson.gz\n"
        "  invlog export | jq .modelId");
    add_store_options(command, export_.store);
    command
        ->add_option("--output", export_.output,
                     "a file, which appears when it is whole; - or none: standard output")
        ->type_name("FILE")
        ->transform(file_name());
    add_time_options(command, export_times_);
    command->add_flag("--gzip", export_.gzip, "compress with gzip");
    command->callback([this] {
      if (export_.output && OutputFile::is_standard_output(*export_.output)) {
        export_.output.reset();
      }
      export_.progress_width = export_.output ? context_.err_width : progress_width();
      run_ = [this] {
        export_.since_us = moment("--since", export_times_.since);
        export_.until_us = moment("--until", export_times_.until);
        return run_export(export_, context_.out, context_.err);
      };
    });
  }

  void add_report() {
    CLI::App* command = add_command(
        "report",
        "Write the record of processing activities: volume, source and destination Regions, "
        "decisions, coverage against CloudTrail, integrity, events, deliveries.",
        "  invlog report --format html --output report.html\n"
        "  invlog report --from 2026-10-01 --to 2026-11-01 --verify\n"
        "  invlog report --from 90d --format csv --table destinations > destinations.csv");
    add_store_options(command, report_.store);
    command
        ->add_option("--from", report_times_.since,
                     "calls from then on: 2026-10-05, 2026-10-05T14:00Z, 7d (default: 30d, or the "
                     "store's birth)")
        ->type_name("TIME");
    command
        ->add_option("--to", report_times_.until,
                     "calls before then: 2026-11-01 for all of October (default: now)")
        ->type_name("TIME");
    command->add_option("--format", report_.format, "md, html, json or csv (default: md)")
        ->transform(one_of<ReportFormat>({{"md", ReportFormat::markdown},
                                          {"html", ReportFormat::html},
                                          {"json", ReportFormat::json},
                                          {"csv", ReportFormat::csv}}))
        ->type_name("FORMAT");
    using residency::CsvTable;
    command
        ->add_option("--table", report_.table,
                     "of csv: usage, models, callers, daily, destinations, decisions, unseen or "
                     "events (default: usage)")
        ->transform(one_of<CsvTable>({{"usage", CsvTable::usage},
                                      {"models", CsvTable::models},
                                      {"callers", CsvTable::callers},
                                      {"daily", CsvTable::daily},
                                      {"destinations", CsvTable::destinations},
                                      {"decisions", CsvTable::decisions},
                                      {"unseen", CsvTable::unseen},
                                      {"events", CsvTable::events}}))
        ->type_name("TABLE");
    command->add_flag("--verify", report_.verify,
                      "verify the whole store first; exit code 1 if it is not whole");
    command
        ->add_option("--output", report_.output,
                     "a file, which appears when it is whole; - or none: standard output")
        ->type_name("FILE")
        ->transform(file_name());
    command->callback([this] {
      if (report_.output && OutputFile::is_standard_output(*report_.output)) {
        report_.output.reset();
      }
      report_.progress_width = report_.output ? context_.err_width : progress_width();
      run_ = [this] {
        report_.now_us = storage::system_now_us();
        report_.from_us = moment("--from", report_times_.since);
        report_.until_us = moment("--to", report_times_.until);
        return run_report(report_, context_.out, context_.err);
      };
    });
  }

  static void add_destination(CLI::App* command, std::string& destination,
                              const char* description) {
    command->add_option("--destination", destination, description)
        ->type_name("NAME")
        ->transform(one_of({"s3", "cloudwatch_logs"}));
  }

  void add_ship() {
    CLI::App* command = add_command(
        "ship",
        "Deliver what is in the store to the configured destinations, now. A running agent does "
        "that by itself; both may run at the same time.",
        "  invlog ship --once\n"
        "  invlog ship --once --destination s3 --timeout 10m --json");
    add_store_options(command, ship_.store);
    command->add_flag("--once", ship_once_, "end when everything is delivered")->required();
    add_destination(command, ship_.destination, "s3 or cloudwatch_logs (default: each)");
    command
        ->add_option("--timeout", ship_timeout_,
                     "give up after so long without success: 90s, 10m (default: never)")
        ->type_name("DURATION");
    command->add_flag("--json", ship_.json, "one JSON object");
    command->callback([this] {
      ship_.progress_width = context_.err_width;
      run_ = [this] {
        if (ship_timeout_) {
          const auto timeout = config::parse_duration(*ship_timeout_);
          if (!timeout) {
            throw CLI::ValidationError("--timeout", timeout.error());
          }
          ship_.give_up_after = *timeout;
        }
        log_to_stderr("error");  // what delivery warns of, ship says by itself
        return run_ship(ship_, context_.out, context_.err);
      };
    });
  }

  void add_dead_letters() {
    CLI::App* command = add_command(
        "dead-letters", "The records that a destination refused: see why, try again, or give up.",
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
      run_ = [this] { return run_dead_letters_list(letters_list_, context_.out, context_.err); };
    });
    CLI::App* show = add_command(*command, "show", "Show one, and how to see its record.",
                                 "  invlog dead-letters show 7");
    add_store_options(show, letters_show_.store);
    show->add_option("ID", letters_show_.id, "a dead letter's number")
        ->required()
        ->transform(whole_number(1));
    show->add_flag("--json", letters_show_.json, "one JSON object");
    show->callback([this] {
      run_ = [this] { return run_dead_letters_show(letters_show_, context_.out, context_.err); };
    });
    CLI::App* retry =
        add_command(*command, "retry",
                    "Ask for another attempt: a running agent makes it, else `invlog ship --once`.",
                    "  invlog dead-letters retry 7 8\n"
                    "  invlog dead-letters retry --all");
    add_choice(retry, letters_retry_);
    retry->callback([this] {
      run_ = [this] { return run_dead_letters_retry(letters_retry_, context_.out, context_.err); };
    });
    CLI::App* drop = add_command(
        *command, "drop", "Give them up. Their records stay in the store, with an event.",
        "  invlog dead-letters drop 7\n"
        "  invlog dead-letters drop --all --destination cloudwatch_logs --yes");
    add_choice(drop, letters_drop_);
    drop->add_flag("--yes", letters_drop_.yes, "with --all: really all of them");
    drop->callback([this] {
      run_ = [this] { return run_dead_letters_drop(letters_drop_, context_.out, context_.err); };
    });
  }

  void add_choice(CLI::App* command, DeadLettersChangeOptions& options) {
    add_store_options(command, options.store);
    command->add_option("ID", options.choice.ids, "dead letters' numbers")
        ->transform(whole_number(1));
    command->add_flag("--all", options.choice.all, "every one");
    add_destination(command, options.choice.destination,
                    "with --all: only those of s3 or cloudwatch_logs");
  }

  void add_profiles() {
    CLI::App* command = add_command(
        "profiles",
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
      run_ = [this] { return run_profiles_show(profiles_show_, context_.out, context_.err); };
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
      run_ = [this] { return run_profiles_refresh(profiles_refresh_, context_.out, context_.err); };
    });
  }

  void add_profiles_list(CLI::App* command) {
    add_store_options(command, profiles_list_.store);
    command
        ->add_option("--scope", profiles_list_.scope,
                     "only those of this scope: in-region, geographic or global")
        ->type_name("SCOPE")
        ->transform(one_of({"in-region", "geographic", "global"}));
    command->add_flag("--application", profiles_list_.application, "only application profiles");
    command->add_flag("--json", profiles_list_.json, "a JSON object per line");
    command->callback([this, command] {
      if (run_) {  // a subcommand's, which comes first
        refuse_options_of_list(*command);
        return;
      }
      profiles_list_.terminal_width = context_.out_width;
      run_ = [this] { return run_profiles_list(profiles_list_, context_.out, context_.err); };
    });
  }

  // What stands before `show` or `refresh` is the list's, and would be passed over.
  static void refuse_options_of_list(const CLI::App& profiles) {
    const std::string subcommand = profiles.get_subcommands().front()->get_name();
    for (const CLI::Option* option : profiles.get_options()) {
      if (subcommand != "list" && option->count() > 0)
        throw CLI::ValidationError(option->get_name(), "belongs behind `" + subcommand + "`");
    }
  }

  void add_doctor() {
    CLI::App* command =
        add_command("doctor",
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
      run_ = [this] {
        log_to_stderr("off");  // what it finds, it prints
        return run_doctor(doctor_, context_.out, context_.err);
      };
    });
  }

  void add_reconcile() {
    CLI::App* command = add_command(
        "reconcile",
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
      run_ = [this] {
        reconcile_.since_us = moment("--since", reconcile_times_.since);
        reconcile_.until_us = moment("--until", reconcile_times_.until);
        log_to_stderr("error");
        return run_reconcile(reconcile_, context_.out, context_.err);
      };
    });
  }

  void add_policy() {
    CLI::App* command =
        add_command("policy", "What the configured [policy] says of a call, and its rules.",
                    "  invlog policy test --model global.amazon.nova-2-lite-v1:0\n"
                    "  invlog policy show");
    command->require_subcommand(1);
    CLI::App* test = add_command(
        *command, "test",
        "Explain where a call may be processed and whether it may leave the host. Exit code 1 if "
        "it would be denied.",
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
      run_ = [this] { return run_policy_test(policy_test_, context_.out, context_.err); };
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
      run_ = [this] { return run_policy_show(policy_show_, context_.out, context_.err); };
    });
  }

  void add_privacy() {
    CLI::App* command = add_command("privacy", "What [privacy] lets be kept of a call.",
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
      run_ = [this] {
        return run_privacy_test(privacy_test_, std::cin, context_.out, context_.err);
      };
    });
  }

  // Progress and output on the same terminal would run into each other.
  int progress_width() const { return context_.out_width > 0 ? 0 : context_.err_width; }

  const CommandLineContext& context_;
  CLI::App app_;
  std::function<int()> run_;
  std::optional<CaOptions> authority_;
  std::optional<ProgramOptions> programs_;

  AgentOptions agent_;
  std::map<std::string, std::vector<std::string>> agent_values_;
  ConfigOptions config_;
  bool config_effective_ = false;
  QueryOptions query_;
  ShowOptions show_;
  TailOptions tail_;
  SearchOptions search_;
  UsageOptions usage_;
  StatusOptions status_;
  VerifyOptions verify_;
  EraseOptions erase_;
  ExportOptions export_;
  ReportOptions report_;
  ShipOptions ship_;
  bool ship_once_ = false;
  std::optional<std::string> ship_timeout_;
  DeadLettersListOptions letters_list_;
  DeadLettersShowOptions letters_show_;
  DeadLettersChangeOptions letters_retry_, letters_drop_;
  ProfilesListOptions profiles_list_;
  ProfilesShowOptions profiles_show_;
  ProfilesRefreshOptions profiles_refresh_;
  DoctorOptions doctor_;
  ReconcileOptions reconcile_;
  PolicyTestOptions policy_test_;
  PolicyShowOptions policy_show_;
  PrivacyTestOptions privacy_test_;
  TimeRangeOptions search_times_, usage_times_, export_times_, report_times_, reconcile_times_;
};

}  // namespace

int run_command_line(int argument_count, const char* const* arguments,
                     const CommandLineContext& context) {
  return CommandLine(context).run(argument_count, arguments);
}

}  // namespace invlog::cli
