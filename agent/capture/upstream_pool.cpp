#include "agent/capture/upstream_pool.h"

#include <algorithm>

namespace invlog::capture {

UpstreamPool::UpstreamPool(Executor executor, UpstreamEndpoint endpoint, const TlsContext* tls,
                           std::shared_ptr<OwnSockets> own, Clock clock)
    : executor_(executor),
      endpoint_(std::make_shared<const UpstreamEndpoint>(std::move(endpoint))),
      tls_(tls),
      own_(std::move(own)),
      clock_(std::move(clock)) {}

std::shared_ptr<UpstreamConnection> UpstreamPool::take_idle() {
  drop_idle();  // a host that has just woken up has not ticked yet
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

void UpstreamPool::give_back(std::shared_ptr<UpstreamConnection> connection) {
  if (closed_)
    return;
  connection->idle_since = clock_();
  idle_.push_back(std::move(connection));
}

void UpstreamPool::drop_idle() {
  if (idle_.empty())
    return;
  const std::chrono::nanoseconds now = clock_();
  std::erase_if(idle_,
                [&](const auto& connection) { return now - connection->idle_since >= kIdleLimit; });
}

void UpstreamPool::close() {
  closed_ = true;
  idle_.clear();
}

}  // namespace invlog::capture
