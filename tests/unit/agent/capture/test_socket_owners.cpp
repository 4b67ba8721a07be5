#include "agent/capture/socket_owners.h"

#include <linux/netlink.h>
#include <netinet/in.h>
#include <unistd.h>

#include "tests/catch.h"
#include "tests/unit/agent/capture/loopback_pair.h"

namespace invlog::capture {
namespace {

struct Ends {
  explicit Ends(int descriptor) {
    socklen_t length = sizeof own;
    REQUIRE(::getsockname(descriptor, reinterpret_cast<sockaddr*>(&own), &length) == 0);
    length = sizeof peer;
    REQUIRE(::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &length) == 0);
  }
  sockaddr_storage own{}, peer{};
};

// The descriptor that this process has for NETLINK_SOCK_DIAG; -1 none.
int netlink_socket() {
  for (int descriptor = 3; descriptor < 1024; ++descriptor) {
    int protocol = -1, domain = -1;
    socklen_t length = sizeof protocol;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 &&
        domain == AF_NETLINK &&
        ::getsockopt(descriptor, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0 &&
        protocol == NETLINK_SOCK_DIAG) {
      return descriptor;
    }
  }
  return -1;
}

}  // namespace

TEST_CASE("Owners are asked for on one socket, which is opened anew where it fails") {
  SocketOwners owners;
  const int kept = netlink_socket();
  REQUIRE(kept >= 0);
  const LoopbackPair pair;
  const Ends ends(pair.client);
  for (int time = 0; time < 3; ++time)
    CHECK(owners.find(ends.own, ends.peer).uid == ::geteuid());
  CHECK(netlink_socket() == kept);
  // What stands in its place then is no netlink socket.
  const int other = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  REQUIRE(::dup2(other, kept) == kept);
  ::close(other);
  CHECK(owners.find(ends.own, ends.peer).uid == ::geteuid());
}

TEST_CASE("A listener is not taken for a connection from its port") {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_storage address{}, nobody{};
  auto& here = reinterpret_cast<sockaddr_in&>(address);
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof here;
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(::listen(listener, 1) == 0);
  REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  nobody = address;
  reinterpret_cast<sockaddr_in&>(nobody).sin_port = htons(1);
  SocketOwners owners;
  const SocketOwner owner = owners.find(address, nobody);
  CHECK_FALSE(owner.uid);
  CHECK_FALSE(owner.closed);
  CHECK_FALSE(owner.unanswered);
  ::close(listener);
}

}  // namespace invlog::capture
