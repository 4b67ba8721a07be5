// A connection that the proxy passes on blindly: the kernel moves the bytes both ways until both
// sides have ended or one has failed, or nothing has passed for SessionOptions::tunnel_timeout. A
// side that ends sending may still receive.
//
// Thread: the I/O thread. Ownership: run() keeps it alive; `services` and `counts` must outlive it.
// Errors: none; a side that fails closes the other.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/capture/capture_session.h"
#include "agent/capture/event.h"
#include "agent/capture/proxy_counts.h"
#include "agent/capture/upstream_connection.h"
#include "agent/proxy/splice_pipe.h"
#include "agent/proxy/tunnel_addresses.h"

namespace invlog::proxy {

// Where a tunnel leads, and what it passes through.
struct TunnelRoute {
  std::string name;                                  // HOST:PORT, for the log
  std::shared_ptr<capture::UpstreamConnection> far;  // connected, and plain
  SplicePipe there, back;                            // open
  std::optional<TunnelAddresses::Refusal> refusal;   // it may not lead there
};

// Waits until either side has said something or has ended. `near`: not TLS.
capture::Task<void> either_side_speaks(capture::ClientStream& near, TunnelRoute& route);

class Tunnel : public capture::SessionControl, public std::enable_shared_from_this<Tunnel> {
 public:
  // `near`: not TLS.
  Tunnel(capture::ClientStream near, std::shared_ptr<TunnelRoute> route,
         capture::SessionServices& services, capture::ProxyCounts& counts);

  // `first_bytes` of the near side were read already.
  capture::Task<void> run(std::string first_bytes);

  // Closes when nothing has passed for a moment: nobody knows whether something is under way.
  void drain() override;
  void close() override;
  std::optional<Time> idle_since(Time now) const override;

 private:
  template <class From, class To>
  capture::Task<void> pass(From& from, To& to, SplicePipe& pipe);
  capture::Task<void> pass_back();
  void moved();
  void give_up();

  capture::ClientStream near_;
  std::shared_ptr<TunnelRoute> route_;
  capture::SessionServices& services_;
  capture::ProxyCounts& counts_;
  capture::Watchdog::Deadline deadline_;
  std::chrono::milliseconds patience_;
  Time moved_at_;
  bool passing_back_ = false;
  capture::Event ended_;
};

}  // namespace invlog::proxy
