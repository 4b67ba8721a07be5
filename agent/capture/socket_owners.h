// Who owns a TCP socket on this host: asks the kernel's sock_diag (NETLINK_SOCK_DIAG, inet_diag:
// Linux man sock_diag(7)).
//
// Its netlink socket is opened at the start and kept, so that who calls is told also where no
// descriptor is left: a caller that can use them all up must not lose its name by that. It is
// opened anew where it fails. Where the kernel could not be asked even at the start (a sandbox
// without netlink), nobody ever has a name, which is said once.
//
// Thread: one at a time; an answer takes some microseconds. Ownership: owns the netlink socket.
// Errors: results; a failure is in the log at most once a minute.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>

#include "agent/capture/rare_warning.h"

namespace invlog::capture {

struct SocketOwner {
  std::optional<std::uint32_t> uid;
  std::uint32_t socket = 0;  // its inode, if there is a uid
  bool closed = false;       // the socket is there, but its process has closed it
  // The kernel could not be asked this time; nothing is known.
  bool unanswered = false;
};

class SocketOwners {
 public:
  SocketOwners();
  ~SocketOwners();
  SocketOwners(const SocketOwners&) = delete;
  SocketOwners& operator=(const SocketOwners&) = delete;

  // Of the socket whose own address is `local` and whose peer's is `remote`.
  SocketOwner find(const sockaddr_storage& local, const sockaddr_storage& remote);

 private:
  bool open();
  void close();
  // Nothing: there was no answer, and errno says why.
  std::optional<SocketOwner> ask(const sockaddr_storage& local, const sockaddr_storage& remote);
  std::optional<SocketOwner> ask_twice(const sockaddr_storage& local,
                                       const sockaddr_storage& remote);

  int netlink_ = -1;
  std::uint32_t number_ = 0;  // of the last question
  int impossible_ = 0;        // the errno with which the kernel refused at the start
  RareWarning failed_;
};

}  // namespace invlog::capture
