#include "agent/admin/metrics_text.h"

#include <algorithm>

#include "agent/admin/metric_families.h"

namespace invlog::admin {
namespace {

constexpr double kMicroseconds = 1e6;

void add_calls(MetricFamilies& out, const capture::CallCounts& calls) {
  constexpr const char* kStatuses[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
  out.counter("invlog_calls_total",
              "Calls of models that have ended, by operation, outcome and HTTP status.");
  for (std::size_t operation = 0; operation < capture::CallCounts::kOperations; ++operation) {
    for (std::size_t outcome = 0; outcome < capture::CallCounts::kOutcomes; ++outcome) {
      for (std::size_t status = 0; status < capture::CallCounts::kStatusClasses; ++status) {
        const auto which = static_cast<bedrock::Operation>(operation);
        const auto ended = static_cast<bedrock::Outcome>(outcome);
        const std::uint64_t count = calls.calls(which, ended, status);
        // What usually happens is there from the start; the rest once it has happened.
        const bool usual = ended == bedrock::Outcome::complete && status == 2;
        if (count > 0 || usual) {
          out.value(count, {{"operation", std::string(bedrock::operation_name(which))},
                            {"outcome", std::string(bedrock::to_string(ended))},
                            {"status", kStatuses[status]}});
        }
      }
    }
  }
  out.histogram("invlog_call_duration_seconds",
                "From a call's request head to the end of its response.", calls.durations());
  out.histogram("invlog_call_first_byte_seconds",
                "From a call's request head to the head of the upstream's response.",
                calls.first_bytes());
}

void add_proxy(MetricFamilies& out, const capture::ProxyCounts& proxy) {
  out.counter("invlog_proxy_connections_total",
              "Connections to the proxy, by what was done with them.")
      .value(proxy.intercepted, {{"result", "intercepted"}})
      .value(proxy.tunnels, {{"result", "tunnelled"}})
      .value(proxy.refused, {{"result", "refused"}})
      .value(proxy.tls_failed, {{"result", "tls-failed"}});
  out.counter("invlog_proxy_flagged_total",
              "Tunnels to Bedrock that are not read: in another Region, which other_regions lets "
              "through, or to bedrock-mantle.")
      .value(proxy.flagged);
  out.counter("invlog_proxy_tunnel_bytes_total", "Bytes that tunnels passed, both ways.")
      .value(proxy.tunnel_bytes);
  out.gauge("invlog_proxy_tunnels", "Open tunnels.").value(proxy.open_tunnels);
}

void add_capture(MetricFamilies& out, const AgentCounts& agent) {
  const capture::Statistics& counted = agent.statistics;
  const capture::LoopFacts& loop = agent.loop;
  out.counter("invlog_requests_total", "Requests with a well-formed head.").value(counted.calls);
  out.counter("invlog_requests_passed_through_total",
              "Requests on paths that call no model; they become no record.")
      .value(counted.passed_through);
  out.counter("invlog_requests_denied_total", "Requests refused by the agent.")
      .value(counted.policy_denied, {{"reason", "policy"}})
      .value(counted.access_denied, {{"reason", "access"}})
      .value(
          counted.denied - std::min(counted.denied, counted.policy_denied + counted.access_denied),
          {{"reason", "other"}});
  out.counter("invlog_policy_flagged_total", "Calls that policy let through with a flag.")
      .value(counted.flagged);
  out.counter("invlog_connections_refused_total",
              "Connections refused with a call under way on each of max_connections.")
      .value(counted.clients.connections_refused);
  out.counter("invlog_slow_clients_cut_total",
              "Connections and HTTP/2 streams cut because the client sent or took too slowly.")
      .value(counted.clients.slow_cut);
  add_proxy(out, counted.proxy);
  out.counter("invlog_upstream_errors_total", "Calls that ended because of the upstream.")
      .value(counted.upstream_errors);
  add_calls(out, counted.ended);
  out.gauge("invlog_requests_in_flight", "Requests that have not ended.").value(counted.in_flight);
  out.gauge("invlog_client_connections", "Open connections of clients.").value(loop.connections);
  out.gauge("invlog_http2_streams", "HTTP/2 streams of clients under way.")
      .value(loop.http2_streams);
  out.gauge("invlog_upstream_idle_connections", "Connections to the upstream kept for reuse.")
      .value(loop.idle_connections);
  out.gauge("invlog_body_memory_bytes", "Memory that bodies in flight hold.")
      .value(loop.body_bytes);
  out.gauge("invlog_body_memory_limit_bytes", "What they may hold together.")
      .value(loop.body_bytes_limit);
}

void add_writer(MetricFamilies& out, const AgentCounts& agent) {
  const storage::WriterStatus& writer = agent.writer;
  out.counter("invlog_records_committed_total", "Records on disk, since the start.")
      .value(writer.committed);
  out.counter("invlog_records_dropped_total", "Records that could not be kept, since the start.")
      .value(writer.dropped);
  out.gauge("invlog_held_records", "Records that wait for room in the queue.")
      .value(agent.loop.held_records);
  out.gauge("invlog_queue_records", "Records in the queue to the store.")
      .value(writer.queued_records);
  out.gauge("invlog_queue_bytes", "Their size in memory.").value(writer.queued_bytes);
  out.gauge("invlog_queue_limit_bytes", "The queue's limit (queue_size).")
      .value(agent.queue_bytes_limit);
  out.gauge("invlog_store_failing", "1: the last commit did not succeed.").value(writer.failing);
  out.gauge("invlog_retention_failing", "1: old records could not be taken away the last time.")
      .value(!writer.retention_error.empty());
}

void add_store(MetricFamilies& out, const AgentCounts& agent, const StoreFacts& store) {
  out.gauge("invlog_store_readable", "1: what follows of the store could be read.")
      .value(store.problem.empty());
  out.gauge("invlog_store_bytes", "Size of the store's files.")
      .value(store.database_bytes, {{"file", "database"}})
      .value(store.wal_bytes, {{"file", "wal"}});
  if (agent.store_bytes_limit > 0) {
    out.gauge("invlog_store_limit_bytes", "What the store may take (max_size).")
        .value(agent.store_bytes_limit);
  }
  if (!store.problem.empty()) {
    return;
  }
  out.gauge("invlog_store_last_record", "Id of the newest record.").value(store.last_record);
  out.gauge("invlog_store_events", "Rows of the store's event table, by kind.");
  for (const auto& [kind, number] : store.events) {
    out.value(number, {{"kind", kind}});
  }
}

double age_seconds(const storage::Backlog& backlog, std::int64_t now_us) {
  return backlog.records == 0
             ? 0
             : static_cast<double>(std::max<std::int64_t>(now_us - backlog.oldest_at_us, 0)) /
                   kMicroseconds;
}

// A family with a value of each destination.
template <class Value>
void each_destination(MetricFamilies& out, const StoreFacts& store, Value value) {
  for (const DestinationFacts& destination : store.destinations) {
    out.value(value(destination), {{"destination", destination.state.destination}});
  }
}

void add_delivered(MetricFamilies& out, const StoreFacts& store) {
  using Facts = DestinationFacts;
  out.counter("invlog_delivery_records_total", "Records delivered, since the store began.");
  each_destination(out, store, [](const Facts& at) { return at.state.delivered_records; });
  out.counter("invlog_delivery_batches_total", "Batches delivered, since the store began.");
  each_destination(out, store, [](const Facts& at) { return at.state.delivered_batches; });
  out.counter("invlog_delivery_bytes_total", "Bytes sent in them, as compressed.");
  each_destination(out, store, [](const Facts& at) { return at.state.delivered_bytes; });
  out.counter("invlog_delivery_retries_total", "Attempts made again, since the store began.");
  each_destination(out, store, [](const Facts& at) { return at.state.retries; });
  out.counter("invlog_delivery_lost_records_total",
              "Records that [retention] took before they were delivered.");
  each_destination(out, store, [](const Facts& at) { return at.lost; });
}

void add_delivery(MetricFamilies& out, const StoreFacts& store, std::int64_t now_us) {
  using Facts = DestinationFacts;
  out.gauge("invlog_delivery_backlog_records", "Records that wait to be delivered.");
  each_destination(out, store, [](const Facts& at) { return at.backlog.records; });
  out.gauge("invlog_delivery_backlog_bytes", "Their bodies, as they came.");
  each_destination(out, store, [](const Facts& at) { return at.backlog.body_bytes; });
  out.gauge("invlog_delivery_backlog_age_seconds",
            "How long the oldest of them has waited, since its call ended.");
  each_destination(out, store, [&](const Facts& at) { return age_seconds(at.backlog, now_us); });
  add_delivered(out, store);
  out.gauge("invlog_delivery_dead_letters", "Records that the destination will not take.");
  each_destination(out, store, [](const Facts& at) { return at.dead_letters; });
  out.gauge("invlog_delivery_failing", "1: the last attempt did not succeed.");
  each_destination(out, store, [](const Facts& at) { return !at.state.last_error.empty(); });
  out.gauge("invlog_delivery_last_success_timestamp_seconds",
            "Unix time of the last success, 0 never.");
  each_destination(out, store, [](const Facts& at) {
    return static_cast<double>(at.state.last_success_us) / kMicroseconds;
  });
}

void add_process(MetricFamilies& out, const ProcessFacts& process) {
  out.counter("process_cpu_seconds_total", "User and system CPU time.").value(process.cpu_seconds);
  out.gauge("process_start_time_seconds", "Unix time of the process's start.")
      .value(process.start_time);
  out.gauge("process_resident_memory_bytes", "Resident memory.").value(process.resident_bytes);
  out.gauge("process_virtual_memory_bytes", "Virtual memory.").value(process.virtual_bytes);
  out.gauge("process_open_fds", "Open file descriptors.").value(process.open_files);
  out.gauge("process_max_fds", "How many there may be.").value(process.open_files_limit);
}

}  // namespace

std::string metrics_text(const AgentCounts& agent, const StoreFacts& store,
                         const ProcessFacts& process, std::int64_t now_us) {
  MetricFamilies out;
  out.gauge("invlog_build_info", "Always 1; the version and the source Region are labels.")
      .value(1, {{"version", agent.version}, {"region", agent.region}});
  add_capture(out, agent);
  add_writer(out, agent);
  add_store(out, agent, store);
  add_delivery(out, store, now_us);
  add_process(out, process);
  return out.text();
}

}  // namespace invlog::admin
