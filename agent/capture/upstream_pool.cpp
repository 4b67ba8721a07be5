#include "agent/capture/upstream_pool.h"

#include <algorithm>

namespace invlog::capture {

UpstreamPool::UpstreamPool(Executor executor, UpstreamEndpoint endpoint, const TlsContext* tls,
                           std::shared_ptr<OwnSockets> own)
    : executor_(executor),
      endpoint_(std::make_shared<const UpstreamEndpoint>(std::move(endpoint))),
      tls_(tls),
      own_(std::move(own)) {}

std::shared_ptr<UpstreamConnection> UpstreamPool::take_idle() {
  while (!idle_.empty()) {
    std::shared_ptr<UpstreamConnection> connection = std::move(idle_.back());
    idle_.pop_back();
    if (connection->alive()) {
      connection->reused = true;
      return connection;
    }
  }
  return nullptr;
}

std::shared_ptr<UpstreamConnection> UpstreamPool::make() {
  return std::make_shared<UpstreamConnection>(executor_, endpoint_, tls_, own_);
}

void UpstreamPool::give_back(std::shared_ptr<UpstreamConnection> connection,
                             std::chrono::steady_clock::time_point now) {
  if (closed_)
    return;
  connection->idle_since = now;
  idle_.push_back(std::move(connection));
}

void UpstreamPool::drop_idle(std::chrono::steady_clock::time_point now) {
  std::erase_if(idle_,
                [&](const auto& connection) { return now - connection->idle_since >= kIdleLimit; });
}

void UpstreamPool::close() {
  closed_ = true;
  idle_.clear();
}

}  // namespace invlog::capture
