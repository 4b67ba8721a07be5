// Whether an address that is to be called is the agent's own: its calls would come back to it for
// ever; and whether two of its own are in each other's way.
//
// Pure functions; any thread. Errors: none; no name is looked up, so that a name of this host that
// is not localhost's is not seen.
#pragma once

#include <cstdint>
#include <string>

namespace invlog::config {

// Whether `host` is this host by its name or address alone: loopback, localhost.
bool is_this_host(const std::string& host);

// Whether who connects to `host` (a name, or an address without brackets) and `port` comes to what
// listens at `address` ("127.0.0.1:4180", "[::1]:4180", 0.0.0.0 and :: included).
bool leads_to(const std::string& address, const std::string& host, std::uint16_t port);

// Whether this host can listen on one of both only: the same port (0: any that is free) of one
// address, or of one and of all.
struct ListenPlace {
  std::string host;  // an address, or localhost; "" nowhere
  std::uint16_t port = 0;
};
bool collide(const ListenPlace& one, const ListenPlace& other);

}  // namespace invlog::config
