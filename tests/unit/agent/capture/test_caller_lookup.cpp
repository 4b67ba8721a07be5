#include "agent/capture/caller_lookup.h"

#include <netinet/in.h>
#include <unistd.h>

#include "tests/catch.h"

namespace invlog::capture {

TEST_CASE("The owner of a loopback TCP peer is known by uid") {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(::listen(listener, 1) == 0);
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
  const int client = ::socket(AF_INET, SOCK_STREAM, 0);
  REQUIRE(::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  const int server = ::accept(listener, nullptr, nullptr);

  CallerLookup lookup(server);
  CHECK(lookup.caller().uid == ::geteuid());
  CHECK_FALSE(lookup.caller().pid);
  CHECK(lookup.caller().executable.empty());
  ::close(server);
  ::close(client);
  ::close(listener);
}

TEST_CASE("A Unix socket's peer is known by uid, pid and executable") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  CallerLookup lookup(ends[0]);
  CHECK(lookup.caller().uid == ::geteuid());
  CHECK(lookup.caller().pid == ::getpid());
  CHECK_FALSE(lookup.caller().executable.empty());
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("A socket that was closed is nobody's") {
  CallerLookup lookup(0);
  lookup.close();
  CHECK_FALSE(lookup.caller().uid);
}

}  // namespace invlog::capture
