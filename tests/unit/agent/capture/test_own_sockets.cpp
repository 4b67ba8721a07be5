#include "agent/capture/own_sockets.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/catch.h"
#include "tests/unit/agent/capture/loopback_pair.h"

namespace invlog::capture {
namespace {

OwnSockets::Endpoint at(const std::string& address, std::uint16_t port) {
  return {boost::asio::ip::make_address(address), port};
}

std::uint16_t port_of(int descriptor) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  REQUIRE(::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  return ntohs(address.sin_port);
}

}  // namespace

TEST_CASE("An own connection is known by both its ends, in either form of IPv4") {
  const LoopbackPair pair;
  const std::uint16_t to = port_of(pair.listener), from = port_of(pair.client);

  OwnSockets own;
  CHECK_FALSE(own.made(pair.server));
  // The kernel may give the same local port to connections elsewhere.
  own.add(at("127.0.0.1", from), at("192.0.2.1", to));
  own.add(at("127.0.0.1", from), at("127.0.0.1", 1));
  CHECK_FALSE(own.made(pair.server));
  own.add(at("::ffff:127.0.0.1", from), at("::ffff:127.0.0.1", to));
  CHECK(own.made(pair.server));
  own.remove(at("127.0.0.1", from), at("127.0.0.1", to));
  CHECK_FALSE(own.made(pair.server));
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  CHECK_FALSE(own.made(ends[0]));
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace invlog::capture
