#include "agent/capture/own_sockets.h"

#include <sys/socket.h>

#include "agent/capture/original_destination.h"

namespace invlog::capture {

OwnSockets::Ends OwnSockets::plain(const Endpoint& local, const Endpoint& remote) {
  return {Endpoint(plain_address(local.address()), local.port()),
          Endpoint(plain_address(remote.address()), remote.port())};
}

void OwnSockets::add(const Endpoint& local, const Endpoint& remote) {
  connections_.insert(plain(local, remote));
}

void OwnSockets::remove(const Endpoint& local, const Endpoint& remote) {
  if (const auto found = connections_.find(plain(local, remote)); found != connections_.end())
    connections_.erase(found);
}

bool OwnSockets::made(int accepted) const {
  sockaddr_storage own{}, peer{};
  socklen_t own_length = sizeof own, peer_length = sizeof peer;
  if (connections_.empty() ||
      ::getsockname(accepted, reinterpret_cast<sockaddr*>(&own), &own_length) != 0 ||
      ::getpeername(accepted, reinterpret_cast<sockaddr*>(&peer), &peer_length) != 0) {
    return false;
  }
  const auto from = tcp_endpoint_of(peer), to = tcp_endpoint_of(own);
  if (!from || !to)
    return false;
  const auto first = connections_.lower_bound({*from, Endpoint()});
  if (first == connections_.end() || first->first != *from)
    return false;
  if (connections_.contains({*from, *to}))
    return true;
  const auto original = original_destination(accepted);
  return original && connections_.contains({*from, *tcp_endpoint_of(*original)});
}

}  // namespace invlog::capture
