#include "agent/cli/store_arguments.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "agent/cli/command_line.h"
#include "agent/cli/option_checks.h"
#include "agent/cli/output_file.h"
#include "storage/time_text.h"

namespace invlog::cli {

StoreArguments::StoreArguments(CLI::App& app, const CommandLineContext& context, Choose choose)
    : app_(app), context_(context), choose_(std::move(choose)) {
  add_verify();
  add_erase();
  add_export();
  add_report();
}

void StoreArguments::add_verify() {
  CLI::App* command = add_command(
      app_, "verify",
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
    choose_([this] { return run_verify(verify_, context_.out, context_.err); });
  });
}

void StoreArguments::add_erase() {
  CLI::App* command = add_command(
      app_, "erase",
      "Erase the bodies of records for good: out of the file's bytes, with an event in the "
      "chain. "
      "Times, model, tokens, caller, outcome and request metadata stay; it says which records have "
      "the last. Without --yes it only shows what it would do. A running agent goes on; but as "
      "with `invlog query`, not for ever while --where "
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
                                 "response, and what the details keep of them, in every way JSON "
                                 "writes a text, "
                                 "invlog_request(id) and invlog_response(id)")
                    ->type_name("SQL");
  command->add_option("--request-id", erase_.scope.request_ids, "these calls")
      ->type_name("ID")
      ->excludes(where);
  command
      ->add_option("--reason", erase_.reason, "why, kept in the event for good: name nobody in it")
      ->type_name("TEXT");
  command->add_flag("--yes", erase_.yes, "do it: it cannot be undone");
  command->add_flag("--json", erase_.json, "one JSON object");
  command->callback([this] {
    erase_.progress_width = context_.err_width;
    choose_([this] { return run_erase(erase_, context_.out, context_.err); });
  });
}

void StoreArguments::add_export() {
  CLI::App* command =
      add_command(app_, "export", "Write the records in AWS's log schema, a JSON object per line.",
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
    export_.progress_width = export_.output ? context_.err_width : progress_width(context_);
    choose_([this] {
      export_.since_us = moment("--since", export_times_.since);
      export_.until_us = moment("--until", export_times_.until);
      return run_export(export_, context_.out, context_.err);
    });
  });
}

void StoreArguments::add_report() {
  CLI::App* command = add_command(
      app_, "report",
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
    report_.progress_width = report_.output ? context_.err_width : progress_width(context_);
    choose_([this] {
      report_.now_us = storage::system_now_us();
      report_.from_us = moment("--from", report_times_.since);
      report_.until_us = moment("--to", report_times_.until);
      return run_report(report_, context_.out, context_.err);
    });
  });
}

}  // namespace invlog::cli
