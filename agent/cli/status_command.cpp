#include "agent/cli/status_command.h"

#include <cstdio>
#include <filesystem>

#include "agent/cli/delivery_status.h"
#include "agent/cli/display_text.h"
#include "agent/cli/row_format.h"
#include "storage/host_history.h"
#include "storage/joined.h"
#include "storage/json_writer.h"
#include "storage/statement.h"
#include "storage/store_file.h"

namespace invlog::cli {
namespace {

constexpr const char* kTotals =
    "SELECT count(*), sum(request_bytes + response_bytes), "
    "strftime('%Y-%m-%dT%H:%M:%SZ', min(started_at) / 1000000, 'unixepoch'), "
    "strftime('%Y-%m-%dT%H:%M:%SZ', max(started_at) / 1000000, 'unixepoch') FROM record";
constexpr const char* kLastErrors =
    "SELECT id, substr(started_at, 1, 19) || 'Z' AS started_at, model, status, outcome, error FROM "
    "invocations WHERE id IN (SELECT id FROM record WHERE error IS NOT NULL OR status >= 400 OR "
    "outcome IS NOT (SELECT id FROM label WHERE text = 'complete') ORDER BY id DESC LIMIT 5) "
    "ORDER BY id";
constexpr const char* kLastEvents =
    "SELECT * FROM (SELECT id, strftime('%Y-%m-%dT%H:%M:%SZ', at / 1000000, 'unixepoch') AS at, "
    "kind, count, details FROM event ORDER BY id DESC LIMIT 10) ORDER BY id";

struct StoreFacts {
  storage::StoreInformation information;
  std::string first_host;  // information's is the present one
  std::string path;
  std::int64_t records = 0;
  std::uint64_t body_bytes = 0;  // as the applications sent and received them
  std::uint64_t file_bytes = 0;  // of the store with its write-ahead log
  std::uint64_t max_bytes = 0;   // that they may be, 0: no limit, or not known
  std::string first_at, last_at;

  double ratio() const {
    return file_bytes == 0 ? 0 : static_cast<double>(body_bytes) / static_cast<double>(file_bytes);
  }
};

std::uint64_t size_of(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : size;
}

StoreFacts facts_of(storage::Reader& reader, const std::string& path) {
  StoreFacts facts;
  facts.information = reader.information();
  facts.first_host = storage::first_host(reader.connection());
  facts.path = path;
  storage::Statement totals(reader.connection(), kTotals);
  totals.step();
  facts.records = totals.integer(0);
  facts.body_bytes = static_cast<std::uint64_t>(totals.integer(1));
  facts.first_at = totals.bytes(2);
  facts.last_at = totals.bytes(3);
  facts.file_bytes = size_of(path) + size_of(storage::resolved_store_path(path) + "-wal");
  return facts;
}

std::string ratio_text(const StoreFacts& facts) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", facts.ratio());
  return text;
}

std::string json_rows(storage::Reader& reader, const char* sql) {
  storage::Statement rows(reader.connection(), sql);
  std::string json = "[";
  while (rows.step()) {
    json += (json.size() > 1 ? "," : "") + json_row(rows.raw());
  }
  return json + "]";
}

// What is unknown is left out.
void append_known(std::string& json, std::string_view name, const std::string& text) {
  if (!text.empty()) {
    storage::append_json_member(json, name, text);
  }
}

void print_json(const StoreFacts& facts, const AgentStatus& agent, storage::Reader& reader,
                const std::string& configuration_error, const std::string& destinations,
                std::ostream& out) {
  std::string store = "{";
  storage::append_json_member(store, "path", facts.path);
  storage::append_json_member(store, "region", facts.information.region);
  append_known(store, "account_id", facts.information.account_id);
  append_known(store, "host", facts.information.host);
  storage::append_json_member(store, "created_at", facts.information.created_at);
  storage::append_json_number(store, "format_version", facts.information.format_version);
  storage::append_json_number(store, "records", facts.records);
  storage::append_json_number(store, "body_bytes", static_cast<long long>(facts.body_bytes));
  storage::append_json_number(store, "file_bytes", static_cast<long long>(facts.file_bytes));
  if (facts.max_bytes > 0) {
    storage::append_json_number(store, "max_bytes", static_cast<long long>(facts.max_bytes));
  }
  storage::append_json_raw(store, "ratio", ratio_text(facts));
  append_known(store, "first_at", facts.first_at);
  append_known(store, "last_at", facts.last_at);
  storage::append_json_raw(store, "last_errors", json_rows(reader, kLastErrors));
  storage::append_json_raw(store, "events", json_rows(reader, kLastEvents));
  store += '}';
  std::string line = "{";
  storage::append_json_raw(line, "store", store);
  storage::append_json_raw(line, "agent_running", agent.running ? "true" : "false");
  storage::append_json_raw(line, "agent", agent.known ? agent.json : "null");
  std::string problem = "null";
  if (!configuration_error.empty()) {
    problem.clear();
    storage::append_json_string(problem, configuration_error);
  }
  storage::append_json_raw(line, "configuration_error", problem);
  storage::append_json_raw(line, "destinations", destinations);
  out << line << "}\n";
}

void print_store(const StoreFacts& facts, std::ostream& out) {
  print_field(out, "store", facts.path);
  print_field(out, "region", facts.information.region);
  print_field(out, "account", facts.information.account_id);
  print_field(out, "created",
              facts.information.created_at +
                  (facts.first_host.empty() ? "" : " on " + printable(facts.first_host)));
  print_field(out, "host",
              facts.information.host == facts.first_host ? "" : printable(facts.information.host));
  print_field(out, "records", grouped(facts.records));
  if (facts.records > 0) {
    print_field(out, "from, to", facts.first_at + ", " + facts.last_at);
  }
  print_field(out, "bodies", readable_size(facts.body_bytes));
  print_field(
      out, "file",
      readable_size(facts.file_bytes) +
          (facts.max_bytes > 0 ? " of " + readable_size(facts.max_bytes) + " at most" : "") +
          (facts.ratio() >= 1 ? ", " + ratio_text(facts) + " times smaller than the bodies" : ""));
}

void print_agent(const AgentStatus& agent, std::ostream& out) {
  if (!agent.known) {
    print_field(out, "agent",
                agent.problem.empty()
                    ? "none has run with this state directory, or it left no status"
                    : agent.problem);
    return;
  }
  print_field(out, "agent",
              (agent.running ? "running, process " + std::to_string(agent.pid)
                             : "not running (process " + std::to_string(agent.pid) + " is gone)") +
                  ", version " + printable(agent.version));
  print_field(out, "listening on",
              agent.running ? printable(storage::joined(agent.listeners, ", ")) : "");
  if (!agent.proxy_listen.empty()) {
    print_field(out, "proxy on", agent.running ? printable(agent.proxy_listen) : "");
  }
  print_field(out, "since", printable(agent.started_at));
  print_field(out, "calls",
              grouped(agent.calls) + ", " + grouped(agent.recorded) + " recorded, " +
                  grouped(agent.passed_through) + " passed through, " + grouped(agent.denied) +
                  " denied, " + grouped(agent.dropped) + " dropped");
  if (agent.policy_denied > 0 || agent.flagged > 0) {
    print_field(out, "policy",
                grouped(agent.policy_denied) + " denied, " + grouped(agent.flagged) + " flagged");
  }
  if (!agent.proxy_listen.empty()) {
    print_field(out, "proxy",
                counted(agent.intercepted_connections, "connection") + " intercepted, " +
                    grouped(agent.tunnels) + " tunnelled (" + grouped(agent.tunnels_flagged) +
                    " flagged), " + grouped(agent.proxy_refused) + " refused, " +
                    grouped(agent.proxy_tls_failed) + " without TLS");
  }
  if (agent.access_denied > 0) {
    print_field(out, "refused callers", counted(agent.access_denied, "call"));
  }
  if (agent.connections_refused > 0 || agent.slow_clients_cut > 0) {
    print_field(out, "clients",
                counted(agent.connections_refused, "connection") + " refused at max_connections, " +
                    grouped(agent.slow_clients_cut) + " cut for being slow");
  }
  print_field(out, "queue",
              counted(agent.queued_records, "record") + ", " +
                  readable_size(static_cast<unsigned long long>(agent.queued_bytes)));
  print_field(out, "upstream errors", grouped(agent.upstream_errors));
  print_field(out, "storage",
              agent.storage_failing ? "FAILING: " + printable(agent.storage_error)
              : agent.storage_error.empty()
                  ? "working"
                  : "working again after: " + printable(agent.storage_error));
  for (const std::string& error : agent.last_errors) {
    print_field(out, "last error", printable(error));
  }
}

void print_rows(storage::Reader& reader, const char* title, const char* sql, int terminal_width,
                std::ostream& out) {
  storage::Statement rows(reader.connection(), sql);
  if (!rows.step()) {
    return;
  }
  TextTable table(out, column_names(rows.raw()), terminal_width);
  do {
    table.add(table_row(rows.raw()));
  } while (rows.step());
  // Only now, as the statement has ended: a writer's log cannot be emptied before, and output may
  // have to wait for its reader.
  out << '\n' << title << '\n';
  table.finish();
}

}  // namespace

int run_status(const StatusOptions& options, std::ostream& out, std::ostream& err) {
  int exit_code = kSuccess;
  const auto location = find_store(options.store, err, exit_code);
  const auto opened = location ? open_store(*location, err, exit_code) : nullptr;
  if (!opened) {
    return exit_code;
  }
  storage::Reader& reader = *opened;
  const AgentStatus agent = read_agent_status(location->state_dir, options.is_invlog);
  StoreFacts facts = facts_of(reader, location->store_path);
  const auto configuration =
      load_configuration(options.store, options.environment, facts.information.region);
  if (configuration) {
    facts.max_bytes = configuration->retention.max_size_bytes;
  }
  const auto destinations =
      delivery_status(reader, configuration ? delivery::describe_destinations(*configuration)
                                            : std::vector<delivery::DestinationDescription>());
  const std::int64_t now = options.clock();
  if (options.json) {
    print_json(facts, agent, reader, configuration ? "" : configuration.error(),
               delivery_json(destinations, now), out);
    return kSuccess;
  }
  print_store(facts, out);
  out << '\n';
  print_agent(agent, out);
  out << '\n';
  print_field(out, "configuration",
              configuration ? "" : "CANNOT BE USED: " + printable(configuration.error()));
  if (configuration || !destinations.empty()) {
    print_delivery(destinations, now, out);
  }
  print_rows(reader, "LAST FAILED CALLS", kLastErrors, options.terminal_width, out);
  print_rows(reader, "LAST EVENTS", kLastEvents, options.terminal_width, out);
  return kSuccess;
}

}  // namespace invlog::cli
