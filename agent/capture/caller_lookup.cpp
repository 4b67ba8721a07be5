#include "agent/capture/caller_lookup.h"

#include <netinet/in.h>
#include <poll.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

#include "agent/capture/original_destination.h"

namespace invlog::capture {
namespace {

bool is_loopback(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    return (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
  }
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    if (IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr))
      return true;
    return IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) && v6.sin6_addr.s6_addr[12] == 127;
  }
  return false;
}

std::string executable_of(pid_t process) {
  std::error_code unknown;
  return std::filesystem::read_symlink("/proc/" + std::to_string(process) + "/exe", unknown)
      .string();
}

// With SO_PEERGROUPS (socket(7), Linux 4.13); a kernel that says ERANGE also says how many.
std::vector<std::uint32_t> supplementary_groups(int descriptor) {
  std::vector<gid_t> groups(64);
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto length = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    const int result = ::getsockopt(descriptor, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &length);
    if (result != 0 && errno != ERANGE)
      break;
    groups.resize(length / sizeof(gid_t));
    if (result == 0)
      return {groups.begin(), groups.end()};
  }
  return {};
}

// Whether the peer has sent its end, or a reset.
bool has_ended(int descriptor) {
  pollfd about{descriptor, POLLRDHUP, 0};
  return ::poll(&about, 1, 0) > 0 && (about.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

}  // namespace

void CallerLookup::find_unix_peer(int descriptor, Found& found) {
  found.peer.transport = Peer::Transport::unix_socket;
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
    return;
  found.caller.uid = credentials.uid;
  found.peer.groups = supplementary_groups(descriptor);
  found.peer.groups.push_back(credentials.gid);
  if (credentials.pid > 0) {
    found.caller.pid = credentials.pid;
    found.caller.executable = executable_of(credentials.pid);
  }
}

void CallerLookup::find_tcp_peer(const sockaddr_storage& own, Found& found) {
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  if (::getpeername(descriptor_, reinterpret_cast<sockaddr*>(&peer), &length) != 0) {
    found.peer.left = has_ended(descriptor_);
    return;
  }
  // Between addresses of one host too, but only loopback proves that the peer is on this host.
  found.peer.transport = is_loopback(peer) ? Peer::Transport::loopback : Peer::Transport::remote;
  SocketOwner owner;
  if (found.peer.transport == Peer::Transport::loopback)
    owner = owners_.get().find(peer, own);
  if (!owner.uid && !owner.closed && !owner.unanswered) {
    // The client's own socket still has the address that it asked for.
    if (const auto asked_for = original_destination(descriptor_))
      owner = owners_.get().find(peer, *asked_for);
  }
  if (owner.uid)
    found.peer.transport = Peer::Transport::loopback;
  found.caller.uid = owner.uid;
  found.peer.socket = owner.socket;
  // After the lookup: between the two looks it may have gone altogether.
  found.peer.left = !owner.uid && (owner.closed || has_ended(descriptor_));
  found.unanswered = owner.unanswered;
}

CallerLookup::Found CallerLookup::find() {
  Found found;
  sockaddr_storage own{};
  socklen_t length = sizeof own;
  if (::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&own), &length) != 0)
    return found;
  if (own.ss_family == AF_UNIX) {
    find_unix_peer(descriptor_, found);
  } else {
    find_tcp_peer(own, found);
  }
  return found;
}

const CallerLookup::Found& CallerLookup::look_up() {
  if (!found_)
    found_ = find();
  return *found_;
}

}  // namespace invlog::capture
