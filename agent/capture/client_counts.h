// How often clients were held to their limits. A plain value, touched on the I/O thread only.
#pragma once

#include <cstdint>

namespace invlog::capture {

struct ClientCounts {
  // Connections that found a call under way on each of max_connections.
  std::uint64_t connections_refused = 0;
  // Connections and HTTP/2 streams that ended because the client was too slow: with a request's
  // head or body, or with taking the response. Not those that asked for nothing.
  std::uint64_t slow_cut = 0;
};

}  // namespace invlog::capture
