// [admin]: where metrics and health are to be had.
#pragma once

#include <cstdint>
#include <string>

namespace invlog::config {

struct AdminConfig {
  std::string listen_host;        // a loopback address, "": no TCP listener
  std::uint16_t listen_port = 0;  // 0: the kernel picks; the log says which
  std::string listen_socket;      // path of a Unix socket, "" none
  bool ready_needs_credentials = true;

  bool operator==(const AdminConfig&) const = default;

  bool enabled() const { return !listen_host.empty() || !listen_socket.empty(); }
};

}  // namespace invlog::config
