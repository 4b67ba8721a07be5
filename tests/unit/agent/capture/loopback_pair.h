// Two ends of a TCP connection on loopback, without a loop.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "tests/catch.h"

namespace invlog::capture {

struct LoopbackPair {
  // `by_reset`: the client's close() is one.
  explicit LoopbackPair(bool by_reset = false) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), length) == 0);
    REQUIRE(::listen(listener, 1) == 0);
    REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    const linger reset{1, 0};
    if (by_reset)
      ::setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    REQUIRE(::connect(client, reinterpret_cast<sockaddr*>(&address), length) == 0);
    server = ::accept(listener, nullptr, nullptr);
  }
  ~LoopbackPair() {
    close_client();
    ::close(server);
    ::close(listener);
  }
  LoopbackPair(const LoopbackPair&) = delete;
  LoopbackPair& operator=(const LoopbackPair&) = delete;

  void close_client() {
    if (client >= 0)
      ::close(std::exchange(client, -1));
  }

  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  int client = ::socket(AF_INET, SOCK_STREAM, 0);
  int server = -1;
};

}  // namespace invlog::capture
