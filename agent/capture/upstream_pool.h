// The kept connections to one upstream: the last one used is the first one reused, checked for life
// before that, and dropped when it was idle for 20 s (servers close theirs later than that).
//
// Thread: the I/O thread. Ownership: connections are shared with the call that uses them; `tls`
// must outlive them.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "agent/capture/upstream_connection.h"

namespace invlog::capture {

class UpstreamPool {
 public:
  static constexpr std::chrono::seconds kIdleLimit{20};

  UpstreamPool(Executor executor, UpstreamEndpoint endpoint, const TlsContext* tls,
               std::shared_ptr<OwnSockets> own = nullptr);

  const UpstreamEndpoint& endpoint() const { return *endpoint_; }
  // A living kept connection (`reused` is set), or null.
  std::shared_ptr<UpstreamConnection> take_idle();
  // A new one, to be opened.
  std::shared_ptr<UpstreamConnection> make();
  // Keeps a connection whose exchange ended well.
  void give_back(std::shared_ptr<UpstreamConnection> connection,
                 std::chrono::steady_clock::time_point now);
  void drop_idle(std::chrono::steady_clock::time_point now);
  void close();
  std::size_t idle() const { return idle_.size(); }

 private:
  Executor executor_;
  std::shared_ptr<const UpstreamEndpoint> endpoint_;
  const TlsContext* tls_;
  std::shared_ptr<OwnSockets> own_;
  std::vector<std::shared_ptr<UpstreamConnection>> idle_;  // oldest first
  bool closed_ = false;
};

}  // namespace invlog::capture
