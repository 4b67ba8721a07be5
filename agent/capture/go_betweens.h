// Callers who may call for somebody else: the proxy mode of another agent on this host, through
// which anybody calls. Agents run as one user, so by TCP that user is such a caller unless the
// program that calls is found and is no agent.
//
// Thread: the I/O thread; what a connection is, is found out once. Errors: none; who cannot be told
// counts as one.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>

#include "agent/capture/caller_lookup.h"
#include "agent/capture/socket_holder.h"

namespace invlog::capture {

class GoBetweens {
 public:
  using Holder = std::function<SocketHolder(std::uint32_t socket)>;

  // `agents_user`: whom this agent runs as; empty: nobody is one.
  GoBetweens(std::optional<std::uint32_t> agents_user, Holder holder)
      : agents_user_(agents_user), holder_(std::move(holder)) {}

  bool include(const bedrock::Caller& caller, const Peer& peer) {
    if (!agents_user_ || caller.uid != agents_user_ ||
        peer.transport != Peer::Transport::loopback) {
      return false;
    }
    return peer.socket == 0 || holder_of(peer.socket) != SocketHolder::other_program;
  }

 private:
  SocketHolder holder_of(std::uint32_t socket) {
    constexpr std::size_t kMostKept = 1024;  // the kernel gives a number again after billions only
    const auto known = known_.find(socket);
    if (known != known_.end())
      return known->second;
    if (known_.size() >= kMostKept)
      known_.clear();
    return known_[socket] = holder_(socket);
  }

  const std::optional<std::uint32_t> agents_user_;
  const Holder holder_;
  std::unordered_map<std::uint32_t, SocketHolder> known_;
};

}  // namespace invlog::capture
