#include "agent/capture/caller_lookup.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <utility>

#include "agent/capture/caller_groups.h"
#include "tests/catch.h"
#include "tests/unit/agent/capture/coroutine_loop.h"
#include "tests/unit/agent/capture/descriptor_shortage.h"
#include "tests/unit/agent/capture/loopback_pair.h"

namespace invlog::capture {

TEST_CASE("The owner of a loopback TCP peer is known by uid") {
  SocketOwners owners;
  const LoopbackPair pair;
  CallerLookup lookup(pair.server, owners);
  CHECK(lookup.caller().uid == ::geteuid());
  CHECK_FALSE(lookup.caller().pid);
  CHECK(lookup.peer().transport == Peer::Transport::loopback);
  struct stat about {};
  REQUIRE(::fstat(pair.client, &about) == 0);
  CHECK(lookup.peer().socket == about.st_ino);
  CHECK(lookup.peer().groups.empty());
  CHECK(lookup.caller().executable.empty());
}

TEST_CASE("Of a client that has hung up it is known that it has left") {
  SocketOwners owners;
  LoopbackPair pair(GENERATE(false, true));
  CallerLookup before(pair.server, owners);
  before.look();
  pair.close_client();
  CHECK(before.caller().uid == ::geteuid());
  CHECK_FALSE(before.peer().left);
  CallerLookup after(pair.server, owners);
  CHECK_FALSE(after.caller().uid);
  CHECK(after.peer().left);
}

TEST_CASE("A caller keeps its name where no descriptor is left") {
  if (!DescriptorShortage::kPossible)
    return;
  SocketOwners owners;
  const LoopbackPair pair;
  const DescriptorShortage shortage;
  CallerLookup lookup(pair.server, owners);
  CHECK(lookup.answered());
  CHECK(lookup.caller().uid == ::geteuid());
}

TEST_CASE("A caller of whom nobody could be asked is not taken for nobody") {
  if (!DescriptorShortage::kPossible)
    return;
  const LoopbackPair pair;
  std::optional<SocketOwners> owners;
  {
    const DescriptorShortage shortage;
    owners.emplace();
    CallerLookup lookup(pair.server, *owners);
    CHECK_FALSE(lookup.answered());
    CHECK_FALSE(lookup.caller().uid);
  }
  CallerLookup later(pair.server, *owners);
  CHECK(later.answered());
  CHECK(later.caller().uid == ::geteuid());
}

TEST_CASE("A caller is known by an IPv4 address inside an IPv6 one") {
  SocketOwners owners;
  const int listener = ::socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  REQUIRE(::inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr) == 1);
  socklen_t length = sizeof address;
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(::listen(listener, 2) == 0);
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  v4.sin_port = address.sin6_port;
  const int plain = ::socket(AF_INET, SOCK_STREAM, 0), mapped = ::socket(AF_INET6, SOCK_STREAM, 0);
  REQUIRE(::connect(plain, reinterpret_cast<sockaddr*>(&v4), sizeof v4) == 0);
  REQUIRE(::connect(mapped, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  for (int client = 0; client < 2; ++client) {
    const int server = ::accept(listener, nullptr, nullptr);
    CHECK(CallerLookup(server, owners).caller().uid == ::geteuid());
    ::close(server);
  }
  for (const int each : {plain, mapped, listener})
    ::close(each);
}

TEST_CASE("A Unix socket's peer is known by uid, pid and executable") {
  SocketOwners owners;
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  CallerLookup lookup(ends[0], owners);
  CHECK(lookup.caller().uid == ::geteuid());
  CHECK(lookup.caller().pid == ::getpid());
  CHECK(lookup.caller().executable == std::filesystem::read_symlink("/proc/self/exe"));
  CHECK(lookup.peer().transport == Peer::Transport::unix_socket);
  const auto& groups = lookup.peer().groups;
  CHECK(std::find(groups.begin(), groups.end(), ::getegid()) != groups.end());
  CHECK(groups.size() == static_cast<std::size_t>(::getgroups(0, nullptr)) + 1);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("A socket that was closed is nobody's") {
  SocketOwners owners;
  CallerLookup lookup(0, owners);
  lookup.close();
  CHECK_FALSE(lookup.caller().uid);
  CHECK(lookup.peer().transport == Peer::Transport::unknown);
}

TEST_CASE("A user's groups are asked for once a minute, on another thread") {
  CoroutineLoop loop;
  boost::asio::thread_pool helper(1);
  auto now = std::chrono::steady_clock::time_point();
  std::atomic<int> asked{0};
  CallerGroups groups(
      loop.executor(), helper,
      [&asked](std::uint32_t uid) {
        ++asked;
        return CallerGroups::Groups{uid, 7};
      },
      [&now] { return now; });
  for (const auto& [second, expected] : {std::pair{0, 1}, {59, 1}, {60, 2}}) {
    now = std::chrono::steady_clock::time_point() + std::chrono::seconds(second);
    Event woken;
    const auto found = loop.start(groups.of(5, woken));
    REQUIRE(loop.run_until([&] { return found->has_value(); }));
    CHECK(***found == CallerGroups::Groups{5, 7});
    CHECK(asked == expected);
  }
  helper.join();
}

TEST_CASE("That nobody could be asked for a user's groups is not kept") {
  CoroutineLoop loop;
  boost::asio::thread_pool helper(1);
  std::atomic<int> asked{0};
  CallerGroups groups(
      loop.executor(), helper,
      [&asked](std::uint32_t) {
        return ++asked == 1 ? std::nullopt : std::optional(CallerGroups::Groups{7});
      },
      [] { return std::chrono::steady_clock::time_point(); });
  for (const CallerGroups::Groups& expected : {CallerGroups::Groups{}, {7}, {7}}) {
    Event woken;
    const auto found = loop.start(groups.of(5, woken));
    REQUIRE(loop.run_until([&] { return found->has_value(); }));
    CHECK(***found == expected);
  }
  CHECK(asked == 2);
  helper.join();
}

TEST_CASE("A look-up of groups that hangs holds up neither its user for long nor others") {
  CoroutineLoop loop;
  boost::asio::thread_pool helper(2);
  std::promise<void> opened;
  CallerGroups groups(
      loop.executor(), helper,
      [&opened](std::uint32_t uid) {
        if (uid == 5)
          opened.get_future().wait();
        return CallerGroups::Groups{uid};
      },
      [] { return std::chrono::steady_clock::time_point(); }, std::chrono::milliseconds(20));
  Event slow_woken, woken, later_woken;
  const auto slow = loop.start(groups.of(5, slow_woken));
  const auto other = loop.start(groups.of(6, woken));
  CHECK(loop.run_until([&] { return other->has_value() && slow->has_value(); }));
  opened.set_value();
  helper.join();
  loop.run();
  const auto later = loop.start(groups.of(5, later_woken));
  REQUIRE(slow->has_value());
  CHECK_FALSE(**slow);
  REQUIRE(later->has_value());
  CHECK(***later == CallerGroups::Groups{5});
}

TEST_CASE("The system knows root's groups, and none of a user that is not there") {
  const auto groups = groups_of_user(0);
  REQUIRE(groups);
  CHECK(std::find(groups->begin(), groups->end(), 0u) != groups->end());
  CHECK(groups_of_user(4'000'000'000u) == CallerGroups::Groups());
}

}  // namespace invlog::capture
