// Where calls go that were meant for a host and whose TLS is ended here (proxy mode): to that host,
// as they are, with the application's own signature.
//
// Thread: the I/O thread. Ownership: shared by the connections that were intercepted; owns the kept
// connections to the host. Errors: none.
#pragma once

#include <cstdint>
#include <string>

#include "agent/capture/upstream_pool.h"

namespace invlog::capture {

struct Interception {
  std::string host;  // lower case
  std::uint16_t port = 443;
  // What came by HTTP/1.1 goes on by it, so that its bytes stay what they are; what came by HTTP/2
  // goes on by that where the host offers it.
  UpstreamPool http1, http2;
};

}  // namespace invlog::capture
