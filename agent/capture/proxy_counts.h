// What proxy mode has done with connections. A plain value, touched on the I/O thread only.
#pragma once

#include <cstdint>

namespace invlog::capture {

struct ProxyCounts {
  std::uint64_t intercepted = 0;   // connections whose TLS was ended here
  std::uint64_t tunnels = 0;       // passed on blindly
  std::uint64_t tunnel_bytes = 0;  // both ways
  std::uint64_t open_tunnels = 0;  // now
  std::uint64_t flagged = 0;       // tunnels to Bedrock, of another Region or bedrock-mantle
  std::uint64_t refused = 0;       // connections to hosts that may not be reached
  std::uint64_t tls_failed = 0;    // clients whose TLS did not begin
};

}  // namespace invlog::capture
