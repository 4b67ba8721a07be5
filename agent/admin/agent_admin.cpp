#include "agent/admin/agent_admin.h"

#include <spdlog/spdlog.h>

#include "agent/delivery/destinations.h"
#include "agent/version.h"

namespace invlog::admin {
namespace {

AgentCounts counts_of(const config::AgentConfig& configuration, const capture::AgentLoop& loop,
                      const storage::Writer& writer) {
  AgentCounts counts;
  counts.version = kVersion;
  counts.region = configuration.region;
  counts.statistics = loop.statistics();
  counts.loop = loop.facts();
  counts.writer = writer.status();
  counts.queue_bytes_limit = configuration.queue_bytes;
  counts.store_bytes_limit = configuration.retention.max_size_bytes;
  return counts;
}

}  // namespace

std::vector<std::string> reasons_not_ready(bool stopping, const storage::WriterStatus& writer,
                                           const std::string& credentials_problem) {
  std::vector<std::string> reasons;
  if (stopping) {
    reasons.push_back("the agent is stopping");
  }
  if (writer.failing) {
    reasons.push_back("the store takes no records: " + writer.last_error);
  }
  if (!credentials_problem.empty()) {
    reasons.push_back("AWS credentials: " + credentials_problem);
  }
  return reasons;
}

std::unique_ptr<AdminServer> start_admin(const config::AgentConfig& configuration,
                                         capture::AgentLoop& loop, const storage::Writer& writer) {
  if (!configuration.admin.enabled()) {
    return nullptr;
  }
  const bool signs = configuration.admin.ready_needs_credentials;
  AdminSources sources;
  sources.counts = [&] { return counts_of(configuration, loop, writer); };
  sources.not_ready = [&loop, &writer, signs] {
    return reasons_not_ready(loop.facts().stopping, writer.status(),
                             signs ? loop.credentials_problem() : "");
  };
  sources.store_path = configuration.store_path();
  for (delivery::DestinationDescription& each : delivery::describe_destinations(configuration)) {
    sources.destinations.push_back(std::move(each.name));
  }
  if (signs) {
    loop.credentials_problem();  // so that they are known when somebody asks
  }
  auto server = std::make_unique<AdminServer>(loop.context().get_executor(), loop.watchdog(),
                                              configuration.admin, std::move(sources));
  loop.on_end = [serving = server.get()] { serving->stop(); };
  spdlog::info("metrics and health on {}", server->address());
  return server;
}

}  // namespace invlog::admin
