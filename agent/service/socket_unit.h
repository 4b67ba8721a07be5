// Where a socket unit of systemd listens: what its ListenStream= comes to with every drop-in, for
// any user, whether the service behind it runs or not.
//
// Asks systemd over the system's D-Bus, for a second at most. Thread: any. Errors: none; without
// systemd, without D-Bus or without such a unit there is nothing to tell.
#pragma once

#include <string>
#include <vector>

namespace invlog::service {

// Stream sockets of the unit ("invlog.socket") as agents name theirs: "127.0.0.1:4180",
// "unix:/run/invlog/invlog.sock". Empty unless the unit is active.
std::vector<std::string> stream_sockets_of_unit(const std::string& unit);

}  // namespace invlog::service
