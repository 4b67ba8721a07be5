#include "agent/admin/agent_admin.h"

#include <spdlog/spdlog.h>

#include "agent/delivery/destinations.h"
#include "agent/version.h"

namespace invlog::admin {
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

AgentAdmin::AgentAdmin(const config::AgentConfig& configuration, capture::AgentLoop& loop,
                       const storage::Writer& writer)
    : configuration_(configuration), loop_(loop), writer_(writer) {
  if (!configuration.admin.enabled()) {
    return;
  }
  change(configuration);
  const bool signs = configuration.admin.ready_needs_credentials;
  AdminSources sources;
  sources.counts = [this] { return counts(); };
  sources.not_ready = [this, signs] {
    std::string problem = signs ? loop_.credentials_problem() : "";
    if (signs && problem.empty()) {
      problem = account_problem_;
    }
    return reasons_not_ready(loop_.facts().stopping, writer_.status(), problem);
  };
  sources.store_path = configuration.store_path();
  sources.allowed_hosts = configuration.access.hosts;
  if (signs) {
    loop.credentials_problem();  // so that they are known when somebody asks
  }
  server_ = std::make_unique<AdminServer>(loop.context().get_executor(), loop.watchdog(),
                                          configuration.admin, std::move(sources));
  if (server_->port() != 0) {
    loop.add_own_port(server_->port());
  }
  loop.on_end = [serving = server_.get()] { serving->stop(); };
  spdlog::info("metrics and health on {}", server_->address());
}

void AgentAdmin::change(const config::AgentConfig& configuration) {
  store_bytes_limit_ = configuration.retention.max_size_bytes;
  destinations_.clear();
  for (delivery::DestinationDescription& each : delivery::describe_destinations(configuration)) {
    destinations_.push_back(std::move(each.name));
  }
}

AgentCounts AgentAdmin::counts() const {
  AgentCounts counts;
  counts.version = kVersion;
  counts.region = configuration_.region;
  counts.statistics = loop_.statistics();
  counts.loop = loop_.facts();
  counts.writer = writer_.status();
  counts.queue_bytes_limit = configuration_.queue_bytes;
  counts.store_bytes_limit = store_bytes_limit_;
  counts.destinations = destinations_;
  return counts;
}

}  // namespace invlog::admin
