// /metrics: everything that is counted, in Prometheus's text format 0.0.4
// (prometheus.io/docs/instrumenting/exposition_formats), named by its conventions.
//
// prometheus-cpp's families and serializer write it; its registry is not used, since the agent
// counts already, in plain numbers of the I/O thread, and counting twice would cost each call.
// No label has values from requests: each has a fixed set of them.
//
// Pure; any thread. Errors: none but lack of memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/admin/process_facts.h"
#include "agent/admin/store_watch.h"
#include "agent/capture/agent_loop.h"
#include "agent/capture/statistics.h"
#include "storage/writer.h"

namespace invlog::admin {

// A copy of what the I/O thread knows.
struct AgentCounts {
  std::string version, region;
  capture::Statistics statistics;
  capture::LoopFacts loop;
  storage::WriterStatus writer;
  std::uint64_t queue_bytes_limit = 0;
  std::uint64_t store_bytes_limit = 0;    // 0: none
  std::vector<std::string> destinations;  // names of the configured ones
};

// `now_us`: Unix time in µs, for ages.
std::string metrics_text(const AgentCounts& agent, const StoreFacts& store,
                         const ProcessFacts& process, std::int64_t now_us);

}  // namespace invlog::admin
