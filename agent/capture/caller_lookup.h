// Which process is behind a client's connection.
//
// A Unix socket's peer is known to the kernel (SO_PEERCRED: uid, pid, gid; SO_PEERGROUPS). For TCP
// on loopback, and for TCP that this host's packet filter redirected here, the kernel's sock_diag
// (NETLINK_SOCK_DIAG, inet_diag: Linux man sock_diag(7)) names the uid that owns the peer's socket;
// the pid would need a walk over /proc/*/fd and is left out. A peer on another host is unknown.
//
// A socket that its process has closed has no owner any more, so whoever accepts a connection looks
// at once: a client must not stay nameless by hanging up.
//
// Thread: any one; looks up once, at the latest on the first caller() or peer(), and takes some ten
// microseconds. Errors: what cannot be found is left empty.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "agent/bedrock/invocation.h"

namespace invlog::capture {

// Where a connection comes from; loopback: TCP, and proven to be on this host.
struct Peer {
  enum class Transport { unknown, unix_socket, loopback, remote };
  Transport transport = Transport::unknown;
  // Primary and supplementary ones as the peer had them when it connected; Unix sockets only.
  std::vector<std::uint32_t> groups;
  // TCP: the user is not known, and the peer had ended the connection when it was looked up.
  bool left = false;
};

class CallerLookup {
 public:
  // `descriptor`: the connected socket; must stay open until the first look or close().
  explicit CallerLookup(int descriptor) : descriptor_(descriptor) {}
  void look() { look_up(); }
  const bedrock::Caller& caller() { return look_up().caller; }
  const Peer& peer() { return look_up().peer; }
  // The socket is about to be closed, and its number may soon be another's.
  void close() { descriptor_ = -1; }

 private:
  struct Found {
    bedrock::Caller caller;
    Peer peer;
  };
  const Found& look_up();
  static void find_unix_peer(int descriptor, Found& found);
  static void find_tcp_peer(int descriptor, const sockaddr_storage& own, Found& found);
  static Found find(int descriptor);

  int descriptor_;
  std::optional<Found> found_;
};

struct SocketOwner {
  std::optional<std::uint32_t> uid;
  bool closed = false;  // the socket is there, but its process has closed it
};
// Who owns the TCP socket whose own address is `local` and whose peer's is `remote`, on this host.
SocketOwner tcp_socket_owner(const sockaddr_storage& local, const sockaddr_storage& remote);

}  // namespace invlog::capture
