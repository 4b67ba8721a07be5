#include "agent/capture/caller_lookup.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <string>

#include "agent/capture/original_destination.h"

namespace invlog::capture {
namespace {

struct DiagnosticRequest {
  nlmsghdr header;
  inet_diag_req_v2 body;
};

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

void copy_address(const sockaddr_storage& from, __be32 (&address)[4], __be16& port) {
  std::memset(address, 0, sizeof address);
  if (from.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
    address[0] = v4.sin_addr.s_addr;
    port = v4.sin_port;
  } else {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
    std::memcpy(address, &v6.sin6_addr, sizeof address);
    port = v6.sin6_port;
  }
}

// An IPv6 socket that speaks IPv4 is found by either form of its addresses.
std::array<__be32, 4> as_ipv6(int family, const __be32 (&address)[4]) {
  if (family == AF_INET)
    return {0, 0, htonl(0xffff), address[0]};
  return {address[0], address[1], address[2], address[3]};
}

// The kernel names a listener of the same port if there is no such connection.
bool is_asked_for(const inet_diag_msg& found, const inet_diag_req_v2& asked) {
  constexpr int kListening = 10;  // TCP_LISTEN (include/net/tcp_states.h)
  const auto same = [&](const __be32(&one)[4], const __be32(&other)[4]) {
    return as_ipv6(found.idiag_family, one) == as_ipv6(asked.sdiag_family, other);
  };
  return found.idiag_state != kListening && found.id.idiag_sport == asked.id.idiag_sport &&
         found.id.idiag_dport == asked.id.idiag_dport &&
         same(found.id.idiag_src, asked.id.idiag_src) &&
         same(found.id.idiag_dst, asked.id.idiag_dst);
}

std::string executable_of(pid_t process) {
  char path[PATH_MAX];
  const std::string link = "/proc/" + std::to_string(process) + "/exe";
  const ssize_t length = ::readlink(link.c_str(), path, sizeof path);
  return length > 0 ? std::string(path, static_cast<std::size_t>(length)) : std::string();
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

void CallerLookup::find_tcp_peer(int descriptor, const sockaddr_storage& own, Found& found) {
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &length) != 0) {
    found.peer.left = has_ended(descriptor);
    return;
  }
  // Between addresses of one host too, but only loopback proves that the peer is on this host.
  found.peer.transport = is_loopback(peer) ? Peer::Transport::loopback : Peer::Transport::remote;
  SocketOwner owner;
  if (found.peer.transport == Peer::Transport::loopback)
    owner = tcp_socket_owner(peer, own);
  if (!owner.uid && !owner.closed) {
    // The client's own socket still has the address that it asked for.
    if (const auto asked_for = original_destination(descriptor))
      owner = tcp_socket_owner(peer, *asked_for);
  }
  if (owner.uid)
    found.peer.transport = Peer::Transport::loopback;
  found.caller.uid = owner.uid;
  // After the lookup: between the two looks it may have gone altogether.
  found.peer.left = !owner.uid && (owner.closed || has_ended(descriptor));
}

CallerLookup::Found CallerLookup::find(int descriptor) {
  Found found;
  sockaddr_storage own{};
  socklen_t length = sizeof own;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&own), &length) != 0)
    return found;
  if (own.ss_family == AF_UNIX) {
    find_unix_peer(descriptor, found);
  } else {
    find_tcp_peer(descriptor, own, found);
  }
  return found;
}

const CallerLookup::Found& CallerLookup::look_up() {
  if (!found_)
    found_ = find(descriptor_);
  return *found_;
}

SocketOwner tcp_socket_owner(const sockaddr_storage& local, const sockaddr_storage& remote) {
  const int netlink = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (netlink < 0)
    return {};
  // The kernel answers within the send; the limit is for one that does not.
  const timeval limit{0, 50000};
  ::setsockopt(netlink, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);

  DiagnosticRequest request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.body.sdiag_family = static_cast<__u8>(local.ss_family);
  request.body.sdiag_protocol = IPPROTO_TCP;
  request.body.idiag_states = ~0u;
  copy_address(local, request.body.id.idiag_src, request.body.id.idiag_sport);
  copy_address(remote, request.body.id.idiag_dst, request.body.id.idiag_dport);
  request.body.id.idiag_cookie[0] = request.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;

  SocketOwner owner;
  alignas(nlmsghdr) char answer[4096];
  if (::send(netlink, &request, sizeof request, 0) == static_cast<ssize_t>(sizeof request)) {
    const ssize_t received = ::recv(netlink, answer, sizeof answer, 0);
    if (received >= static_cast<ssize_t>(sizeof(nlmsghdr))) {
      nlmsghdr header;
      std::memcpy(&header, answer, sizeof header);
      if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY &&
          static_cast<std::size_t>(received) >= sizeof(nlmsghdr) + sizeof(inet_diag_msg)) {
        inet_diag_msg message;
        std::memcpy(&message, answer + NLMSG_HDRLEN, sizeof message);
        // A socket that its process closed belongs to nobody (inode 0), and the kernel then says
        // uid 0.
        if (is_asked_for(message, request.body)) {
          owner.closed = message.idiag_inode == 0;
          if (!owner.closed)
            owner.uid = message.idiag_uid;
        }
      }
    }
  }
  ::close(netlink);
  return owner;
}

}  // namespace invlog::capture
