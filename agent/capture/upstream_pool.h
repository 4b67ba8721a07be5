// The kept connections to one upstream: the last one used is the first one reused, checked for life
// before that, and dropped when it was idle for 20 s (servers close theirs later than that), the
// host's sleep included.
//
// Thread: the I/O thread. Ownership: connections are shared with the call that uses them; `tls`
// must outlive them.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "agent/capture/boot_time.h"
#include "agent/capture/upstream_connection.h"

namespace invlog::capture {

class UpstreamPool {
 public:
  static constexpr std::chrono::seconds kIdleLimit{20};

  using Clock = std::function<std::chrono::nanoseconds()>;

  UpstreamPool(Executor executor, UpstreamEndpoint endpoint, const TlsContext* tls,
               std::shared_ptr<OwnSockets> own = nullptr, Clock clock = time_since_boot);

  const UpstreamEndpoint& endpoint() const { return *endpoint_; }
  // A living kept connection (`reused` is set), or null.
  std::shared_ptr<UpstreamConnection> take_idle();
  // A new one, to be opened.
  std::shared_ptr<UpstreamConnection> make();
  // Keeps a connection whose exchange ended well.
  void give_back(std::shared_ptr<UpstreamConnection> connection);
  void drop_idle();
  void close();
  std::size_t idle() const { return idle_.size(); }

 private:
  Executor executor_;
  std::shared_ptr<const UpstreamEndpoint> endpoint_;
  const TlsContext* tls_;
  std::shared_ptr<OwnSockets> own_;
  Clock clock_;
  std::vector<std::shared_ptr<UpstreamConnection>> idle_;  // oldest first
  bool closed_ = false;
};

}  // namespace invlog::capture
