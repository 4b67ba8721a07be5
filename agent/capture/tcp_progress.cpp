#include "agent/capture/tcp_progress.h"

// Not <netinet/tcp.h>: glibc's tcp_info ends before tcpi_bytes_acked.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>

namespace invlog::capture {

std::optional<std::uint64_t> tcp_bytes_acknowledged(int descriptor) {
  tcp_info information{};
  socklen_t length = sizeof information;
  if (::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &information, &length) != 0 ||
      length < offsetof(tcp_info, tcpi_bytes_acked) + sizeof information.tcpi_bytes_acked) {
    return std::nullopt;
  }
  return information.tcpi_bytes_acked;
}

}  // namespace invlog::capture
