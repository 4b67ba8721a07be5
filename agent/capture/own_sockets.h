// The agent's own connections, by both their ends, so that it notices when one of them leads back
// to it: a name that is resolved to the proxy for everybody is resolved so for the agent, too, and
// what comes through a tunnel must not count as a call of the agent's own user.
//
// Both ends, because the kernel gives one local port to several connections that lead to different
// places.
//
// Thread: the I/O thread. Errors: none.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <set>
#include <utility>

namespace invlog::capture {

class OwnSockets {
 public:
  using Endpoint = boost::asio::ip::tcp::endpoint;

  void add(const Endpoint& local, const Endpoint& remote);
  void remove(const Endpoint& local, const Endpoint& remote);
  // Whether the agent made the connection of which `accepted` is the other end, also where the
  // host's packet filter led it elsewhere than it was made to. False for Unix sockets.
  // Known for certain once something was received: only then is the end that was made connected.
  bool made(int accepted) const;

 private:
  using Ends = std::pair<Endpoint, Endpoint>;
  static Ends plain(const Endpoint& local, const Endpoint& remote);

  std::multiset<Ends> connections_;  // local end first
};

}  // namespace invlog::capture
