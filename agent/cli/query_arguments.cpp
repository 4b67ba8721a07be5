#include "agent/cli/query_arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>
#include <vector>

#include "agent/cli/command_line.h"
#include "agent/cli/option_checks.h"

namespace invlog::cli {

QueryArguments::QueryArguments(CLI::App& app, const CommandLineContext& context, Choose choose)
    : app_(app), context_(context), choose_(std::move(choose)) {
  add_query();
  add_show();
  add_tail();
  add_search();
  add_usage();
  add_status();
}

void QueryArguments::add_query() {
  CLI::App* command = add_command(
      app_, "query",
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
  add_formats(command, query_.format);
  command->callback([this] {
    query_.terminal_width = context_.out_width;
    choose_([this] { return run_query(query_, context_.out, context_.err); });
  });
}

void QueryArguments::add_show() {
  CLI::App* command = add_command(app_, "show", "Show one record with its request and response.",
                                  "  invlog show 42\n"
                                  "  invlog show 0f7ad5ad-19b5-4eb6-8a22-2a4b8a62ab11 --record\n"
                                  "  invlog show 42 --response > response.json");
  add_store_options(command, show_.store);
  command->add_option("ID", show_.id, "a record's number, or a request id")->required();
  std::vector<const CLI::Option*> forms;
  const auto add = [&](const char* flag, ShowWhat value, const char* description) {
    forms.push_back(command->add_flag_callback(
        flag, [this, value] { show_.what = value; }, description));
  };
  add("--record", ShowWhat::record, "the line of AWS's log schema");
  add("--request", ShowWhat::request, "the request's bytes, nothing else");
  add("--response", ShowWhat::response, "the response's bytes, nothing else");
  add("--json", ShowWhat::json, "one JSON object");
  // Not excludes(), which --help would write out behind each of the four.
  command->callback([this, forms] {
    const auto given = [](const CLI::Option* form) { return form->count() > 0; };
    if (std::count_if(forms.begin(), forms.end(), given) > 1) {
      throw CLI::ValidationError("give one of --record, --request, --response and --json");
    }
    show_.terminal = context_.out_width > 0;
    choose_([this] { return run_show(show_, context_.out, context_.err); });
  });
}

void QueryArguments::add_tail() {
  CLI::App* command = add_command(app_, "tail", "Show the newest records.",
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
    choose_([this] { return run_tail(tail_, context_.out, context_.err); });
  });
}

void QueryArguments::add_search() {
  CLI::App* command = add_command(
      app_, "search",
      "Find the calls whose request or response contains a text, or what the details keep "
      "of them: events without a place in a body, and a stream's rest.",
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
    search_.progress_width = progress_width(context_);
    choose_([this] {
      search_.since_us = moment("--since", search_times_.since);
      search_.until_us = moment("--until", search_times_.until);
      return run_search(search_, context_.out, context_.err);
    });
  });
}

void QueryArguments::add_usage() {
  CLI::App* command = add_command(app_, "usage",
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
  add_formats(command, usage_.format);
  command->callback([this] {
    usage_.terminal_width = context_.out_width;
    choose_([this] {
      usage_.since_us = moment("--since", usage_times_.since);
      usage_.until_us = moment("--until", usage_times_.until);
      return run_usage(usage_, context_.out, context_.err);
    });
  });
}

void QueryArguments::add_status() {
  CLI::App* command =
      add_command(app_, "status",
                  "Show the store's size, the agent's state, how far each destination is, and the "
                  "last errors.",
                  "  invlog status\n"
                  "  invlog status --json");
  add_store_options(command, status_.store);
  command->add_flag("--json", status_.json, "one JSON object");
  command->callback([this] {
    status_.terminal_width = context_.out_width;
    choose_([this] { return run_status(status_, context_.out, context_.err); });
  });
}

}  // namespace invlog::cli
