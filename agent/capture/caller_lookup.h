// Which process is behind a client's connection.
//
// A Unix socket's peer is known to the kernel (SO_PEERCRED: uid, pid, gid; SO_PEERGROUPS). For TCP
// on loopback, and for TCP that this host's packet filter redirected here, the kernel names the uid
// that owns the peer's socket (socket_owners.h); the pid would need a walk over /proc/*/fd and is
// left out. A peer on another host is unknown.
//
// A socket that its process has closed has no owner any more, so whoever accepts a connection looks
// at once: a client must not stay nameless by hanging up.
//
// Thread: that of `owners`; looks up once, at the latest on the first caller() or peer(), and takes
// some ten microseconds. Ownership: `owners` must outlive it. Errors: what cannot be found is left
// empty; answered() tells it from what nobody could be asked for.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "agent/bedrock/invocation.h"
#include "agent/capture/socket_owners.h"

namespace invlog::capture {

// Where a connection comes from; loopback: TCP, and proven to be on this host.
struct Peer {
  enum class Transport { unknown, unix_socket, loopback, remote };
  Transport transport = Transport::unknown;
  // Primary and supplementary ones as the peer had them when it connected; Unix sockets only.
  std::vector<std::uint32_t> groups;
  // TCP: the user is not known, and the peer had ended the connection when it was looked up.
  bool left = false;
  // TCP, with a known user: the inode of the peer's socket.
  std::uint32_t socket = 0;
};

class CallerLookup {
 public:
  // `descriptor`: the connected socket; must stay open until the first look or close().
  CallerLookup(int descriptor, SocketOwners& owners) : descriptor_(descriptor), owners_(owners) {}
  void look() { look_up(); }
  // False: the kernel could not be asked, this time; the connection must not pass as nobody's.
  bool answered() { return !look_up().unanswered; }
  const bedrock::Caller& caller() { return look_up().caller; }
  const Peer& peer() { return look_up().peer; }
  // The socket is about to be closed, and its number may soon be another's.
  void close() { descriptor_ = -1; }

 private:
  struct Found {
    bedrock::Caller caller;
    Peer peer;
    bool unanswered = false;
  };
  const Found& look_up();
  static void find_unix_peer(int descriptor, Found& found);
  void find_tcp_peer(const sockaddr_storage& own, Found& found);
  Found find();

  int descriptor_;
  std::reference_wrapper<SocketOwners> owners_;
  std::optional<Found> found_;
};

}  // namespace invlog::capture
