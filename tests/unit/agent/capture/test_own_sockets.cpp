#include "agent/capture/own_sockets.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/catch.h"

namespace invlog::capture {
namespace {

OwnSockets::Endpoint at(const std::string& address, std::uint16_t port) {
  return {boost::asio::ip::make_address(address), port};
}

}  // namespace

TEST_CASE("An own connection is known by both its ends, in either form of IPv4") {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0),
            client = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(::listen(listener, 1) == 0);
  REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  const std::uint16_t to = ntohs(address.sin_port);
  REQUIRE(::connect(client, reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(::getsockname(client, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  const std::uint16_t from = ntohs(address.sin_port);
  const int accepted = ::accept(listener, nullptr, nullptr);

  OwnSockets own;
  CHECK_FALSE(own.made(accepted));
  // The kernel may give the same local port to connections elsewhere.
  own.add(at("127.0.0.1", from), at("192.0.2.1", to));
  own.add(at("127.0.0.1", from), at("127.0.0.1", 1));
  CHECK_FALSE(own.made(accepted));
  own.add(at("::ffff:127.0.0.1", from), at("::ffff:127.0.0.1", to));
  CHECK(own.made(accepted));
  own.remove(at("127.0.0.1", from), at("127.0.0.1", to));
  CHECK_FALSE(own.made(accepted));
  for (const int each : {listener, client, accepted})
    ::close(each);
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  CHECK_FALSE(own.made(ends[0]));
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace invlog::capture
