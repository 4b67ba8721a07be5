#include "agent/cli/usage_command.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <map>
#include <unordered_map>

#include "agent/cli/display_text.h"
#include "agent/cli/record_range.h"
#include "storage/json_writer.h"
#include "storage/statement.h"
#include "storage/store_file.h"
#include "storage/time_text.h"

namespace invlog::cli {
namespace {

constexpr std::int64_t kDayUs = 86'400'000'000;

struct Totals {
  std::int64_t calls = 0, errors = 0;
  std::int64_t input = 0, output = 0, cache_read = 0, cache_write = 0;  // tokens
  std::int64_t timed_calls = 0, latency_sum_us = 0, latency_max_us = 0;

  void add(const Totals& other) {
    calls += other.calls;
    errors += other.errors;
    input += other.input;
    output += other.output;
    cache_read += other.cache_read;
    cache_write += other.cache_write;
    timed_calls += other.timed_calls;
    latency_sum_us += other.latency_sum_us;
    latency_max_us = std::max(latency_max_us, other.latency_max_us);
  }
};

struct Group {
  std::optional<std::string> name;  // none: nameless()
  Totals totals;
};

// As the output has it, and the column of table record but for the day.
const char* key_name(UsageBy by) {
  switch (by) {
    case UsageBy::model:
      return "model";
    case UsageBy::day:
      return "day";
    case UsageBy::caller:
      return "caller";
    case UsageBy::decision:
      return "decision";
    case UsageBy::profile:
      return "profile";
    case UsageBy::scope:
      return "scope";
  }
  return "";
}

// A call has no profile where it named a model itself, and no decision where there is no policy.
const char* nameless(UsageBy by) {
  return by == UsageBy::profile || by == UsageBy::decision ? "(none)" : "(unknown)";
}

// Adding up here takes half the time of SQL's GROUP BY over the view, which sorts all rows and
// looks up the labels of each.
std::unordered_map<std::int64_t, Totals> add_up(sqlite3* connection, const UsageOptions& options) {
  const char* key = options.by == UsageBy::day ? "started_at" : key_name(options.by);
  storage::Statement select(
      connection,
      std::string("SELECT ") + key +
          ", input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, status, error, "
          "outcome IS (SELECT id FROM label WHERE text = 'complete'), duration FROM record "
          "WHERE started_at >= ?1 AND started_at < ?2");
  select.bind(1, options.since_us.value_or(std::numeric_limits<std::int64_t>::min()));
  select.bind(2, options.until_us.value_or(std::numeric_limits<std::int64_t>::max()));
  std::unordered_map<std::int64_t, Totals> groups;
  while (select.step()) {
    const std::int64_t value = select.is_null(0) ? 0 : select.integer(0);  // labels count from 1
    Totals& totals = groups[options.by == UsageBy::day ? storage::utc_day(value) : value];
    ++totals.calls;
    const bool succeeded = select.is_null(6) && select.integer(7) != 0 && select.integer(5) < 400;
    totals.errors += succeeded ? 0 : 1;
    totals.input += select.integer(1);
    totals.output += select.integer(2);
    totals.cache_read += select.integer(3);
    totals.cache_write += select.integer(4);
    if (const auto duration = select.optional_integer(8)) {
      ++totals.timed_calls;
      totals.latency_sum_us += *duration;
      totals.latency_max_us = std::max(totals.latency_max_us, *duration);
    }
  }
  storage::check_unwritten(connection);
  return groups;
}

std::optional<std::string> label_text(sqlite3* connection, std::int64_t id) {
  storage::Statement select(connection, "SELECT text FROM label WHERE id = ?1");
  return select.bind(1, id).step() ? std::optional<std::string>(select.bytes(0)) : std::nullopt;
}

// Days in order; everything else by the number of calls.
std::vector<Group> named_groups(sqlite3* connection, const UsageOptions& options) {
  std::vector<Group> groups;
  for (const auto& [key, totals] : add_up(connection, options)) {
    groups.push_back({options.by == UsageBy::day ? storage::iso_seconds(key * kDayUs).substr(0, 10)
                                                 : label_text(connection, key),
                      totals});
  }
  std::sort(groups.begin(), groups.end(), [&](const Group& left, const Group& right) {
    if (options.by != UsageBy::day && left.totals.calls != right.totals.calls) {
      return left.totals.calls > right.totals.calls;
    }
    return left.name < right.name;
  });
  return groups;
}

// "" if no call has a time.
std::string average_ms(const Totals& totals) {
  if (totals.timed_calls == 0) {
    return "";
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.1f",
                static_cast<double>(totals.latency_sum_us) / 1000.0 /
                    static_cast<double>(totals.timed_calls));
  return text;
}

std::string maximum_ms(const Totals& totals) {
  if (totals.timed_calls == 0) {
    return "";
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", static_cast<double>(totals.latency_max_us) / 1000.0);
  return text;
}

std::vector<std::string> header_of(UsageBy by) {
  return {key_name(by),         "calls",         "errors",
          "input_tokens",       "output_tokens", "cache_read_tokens",
          "cache_write_tokens", "avg_ms",        "max_ms"};
}

std::vector<TableCell> table_cells(const std::string& name, const Totals& totals) {
  std::vector<TableCell> cells{{printable(name), false}};
  for (const std::int64_t number : {totals.calls, totals.errors, totals.input, totals.output,
                                    totals.cache_read, totals.cache_write}) {
    cells.push_back({grouped(number), true});
  }
  cells.push_back({average_ms(totals), true});
  cells.push_back({maximum_ms(totals), true});
  return cells;
}

void print_table(const UsageOptions& options, const std::vector<Group>& groups, std::ostream& out) {
  TextTable table(out, header_of(options.by), options.terminal_width);
  Totals all;
  for (const Group& group : groups) {
    table.add(table_cells(group.name.value_or(nameless(options.by)), group.totals));
    all.add(group.totals);
  }
  if (groups.size() > 1) {
    table.add(table_cells("total", all));
  }
  table.finish();
}

void print_json(const UsageOptions& options, const Group& group, std::ostream& out) {
  const Totals& totals = group.totals;
  std::string line = "{";
  if (group.name) {
    storage::append_json_member(line, key_name(options.by), *group.name);
  } else {
    storage::append_json_raw(line, key_name(options.by), "null");
  }
  storage::append_json_number(line, "calls", totals.calls);
  storage::append_json_number(line, "errors", totals.errors);
  storage::append_json_number(line, "input_tokens", totals.input);
  storage::append_json_number(line, "output_tokens", totals.output);
  storage::append_json_number(line, "cache_read_tokens", totals.cache_read);
  storage::append_json_number(line, "cache_write_tokens", totals.cache_write);
  storage::append_json_raw(line, "avg_ms", totals.timed_calls == 0 ? "null" : average_ms(totals));
  storage::append_json_raw(line, "max_ms", totals.timed_calls == 0 ? "null" : maximum_ms(totals));
  out << line << "}\n";
}

void print_csv(const Group& group, std::ostream& out) {
  const Totals& totals = group.totals;
  std::string line;
  if (group.name) {
    append_csv_text(line, *group.name);
  }
  for (const std::int64_t number : {totals.calls, totals.errors, totals.input, totals.output,
                                    totals.cache_read, totals.cache_write}) {
    line += "," + std::to_string(number);
  }
  out << line << ',' << average_ms(totals) << ',' << maximum_ms(totals) << "\r\n";
}

}  // namespace

int run_usage(const UsageOptions& options, std::ostream& out, std::ostream& err) {
  if (is_empty({options.since_us, options.until_us}, "invlog usage", err)) {
    return kUsageError;
  }
  int exit_code = kSuccess;
  const auto reader = open_store(options.store, err, exit_code);
  if (!reader) {
    return exit_code;
  }
  const std::vector<Group> groups = named_groups(reader->connection(), options);
  if (options.format == RowFormat::table) {
    print_table(options, groups, out);
    return kSuccess;
  }
  if (options.format == RowFormat::csv) {
    out << csv_header(header_of(options.by));
  }
  for (const Group& group : groups) {
    options.format == RowFormat::csv ? print_csv(group, out) : print_json(options, group, out);
  }
  return kSuccess;
}

}  // namespace invlog::cli
