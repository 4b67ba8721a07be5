// A connection that waits until it is known whether and where its tunnel leads: for who calls to be
// looked up, and for the far side to be reached. Counts as a connection under way meanwhile, and
// ends when a stop cuts what is left.
//
// Thread: the I/O thread. Ownership: `near`, `route` and `services` must outlive it; `services`
// knows it while it lives. Errors: none.
#pragma once

#include <optional>

#include "agent/capture/opening_connection.h"
#include "agent/proxy/tunnel.h"

namespace invlog::proxy {

class OpeningTunnel : public capture::SessionControl {
 public:
  OpeningTunnel(capture::ClientStream& near, TunnelRoute& route, capture::SessionServices& services)
      : near_(near), route_(route), membership_(services.sessions, this) {}

  // It waits for the far side, not for its client.
  std::optional<Time> idle_since(Time) const override { return std::nullopt; }
  // The far side has a time limit of its own, and the tunnel then ends as others do.
  void drain() override {}
  void close() override {
    near_.cut();
    if (route_.far)
      route_.far->cancel();
  }

 private:
  capture::ClientStream& near_;
  TunnelRoute& route_;
  capture::Membership membership_;
};

}  // namespace invlog::proxy
