#include "agent/capture/socket_owners.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace invlog::capture {
namespace {

struct DiagnosticRequest {
  nlmsghdr header;
  inet_diag_req_v2 body;
};

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

bool is_shortage(int cause) {
  return cause == EMFILE || cause == ENFILE || cause == ENOMEM || cause == ENOBUFS;
}

// Nothing: the kernel has not said whether there is such a socket; errno says why.
std::optional<SocketOwner> read_answer(const char* answer, std::size_t size,
                                       const inet_diag_req_v2& asked) {
  nlmsghdr header;
  std::memcpy(&header, answer, sizeof header);
  SocketOwner owner;
  if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY && size >= NLMSG_HDRLEN + sizeof(inet_diag_msg)) {
    inet_diag_msg found;
    std::memcpy(&found, answer + NLMSG_HDRLEN, sizeof found);
    // A socket that its process closed belongs to nobody (inode 0), and the kernel then says uid 0.
    if (is_asked_for(found, asked)) {
      owner.closed = found.idiag_inode == 0;
      if (!owner.closed) {
        owner.uid = found.idiag_uid;
        owner.socket = found.idiag_inode;
      }
    }
    return owner;
  }
  nlmsgerr error{};
  if (header.nlmsg_type == NLMSG_ERROR && size >= NLMSG_HDRLEN + sizeof error) {
    std::memcpy(&error, answer + NLMSG_HDRLEN, sizeof error);
    if (error.error == -ENOENT)
      return owner;
  }
  errno = error.error < 0 ? -error.error : EPROTO;
  return std::nullopt;
}

}  // namespace

SocketOwners::SocketOwners() {
  // There is no such socket, and whoever can be asked says so.
  sockaddr_storage nowhere{};
  reinterpret_cast<sockaddr_in&>(nowhere).sin_family = AF_INET;
  reinterpret_cast<sockaddr_in&>(nowhere).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (!ask_twice(nowhere, nowhere) && !is_shortage(errno))
    impossible_ = errno;
}

SocketOwners::~SocketOwners() {
  close();
}

bool SocketOwners::open() {
  netlink_ = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (netlink_ < 0)
    return false;
  // The kernel answers within the send; the limit is for one that does not.
  const timeval limit{0, 50000};
  ::setsockopt(netlink_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  return true;
}

void SocketOwners::close() {
  if (netlink_ >= 0)
    ::close(std::exchange(netlink_, -1));
}

SocketOwner SocketOwners::find(const sockaddr_storage& local, const sockaddr_storage& remote) {
  if (impossible_ == 0) {
    if (const auto owner = ask_twice(local, remote))
      return *owner;
    failed_.say(std::chrono::steady_clock::now(),
                std::string("cannot ask the kernel who calls, and closes the connection: ") +
                    std::strerror(errno));
    SocketOwner unknown;
    unknown.unanswered = true;
    return unknown;
  }
  if (impossible_ > 0) {
    spdlog::warn(
        "the kernel cannot be asked here who calls on TCP ({}): these callers stay unknown",
        std::strerror(impossible_));
    impossible_ = -1;  // said
  }
  return {};
}

std::optional<SocketOwner> SocketOwners::ask_twice(const sockaddr_storage& local,
                                                   const sockaddr_storage& remote) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (netlink_ < 0 && !open())
      break;
    if (const auto owner = ask(local, remote))
      return owner;
    const int cause = errno;
    close();  // and whatever may come on it yet
    errno = cause;
  }
  return std::nullopt;
}

std::optional<SocketOwner> SocketOwners::ask(const sockaddr_storage& local,
                                             const sockaddr_storage& remote) {
  DiagnosticRequest request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.header.nlmsg_seq = ++number_;
  request.body.sdiag_family = static_cast<__u8>(local.ss_family);
  request.body.sdiag_protocol = IPPROTO_TCP;
  request.body.idiag_states = ~0u;
  copy_address(local, request.body.id.idiag_src, request.body.id.idiag_sport);
  copy_address(remote, request.body.id.idiag_dst, request.body.id.idiag_dport);
  request.body.id.idiag_cookie[0] = request.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  if (::send(netlink_, &request, sizeof request, 0) != static_cast<ssize_t>(sizeof request))
    return std::nullopt;

  alignas(nlmsghdr) char answer[4096];
  const ssize_t received = ::recv(netlink_, answer, sizeof answer, 0);
  if (received < 0)
    return std::nullopt;
  nlmsghdr header{};
  if (received >= static_cast<ssize_t>(sizeof header))
    std::memcpy(&header, answer, sizeof header);
  if (header.nlmsg_seq != number_) {
    errno = EPROTO;
    return std::nullopt;
  }
  return read_answer(answer, static_cast<std::size_t>(received), request.body);
}

}  // namespace invlog::capture
