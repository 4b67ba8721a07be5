#include "agent/proxy/splice_pipe.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/error.hpp>
#include <csignal>
#include <string>

#include "tests/catch.h"

namespace invlog::tests {
namespace {

using boost::system::error_code;
using proxy::SplicePipe;
namespace error = boost::asio::error;

// A connection whose ends do not block.
struct SocketPair {
  SocketPair() {
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
  }
  ~SocketPair() {
    close(0);
    close(1);
  }
  void close(std::size_t end) {
    if (ends[end] >= 0)
      ::close(ends[end]);
    ends[end] = -1;
  }
  // What arrived at the second end and fits.
  std::string received() const {
    std::string text(std::size_t{1} << 20, '\0');
    const ssize_t count = ::recv(ends[1], text.data(), text.size(), 0);
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return text;
  }

  std::array<int, 2> ends{};
};

}  // namespace

TEST_CASE("splice pipe: bytes go from one socket to the other") {
  SocketPair from;
  SocketPair to;
  SplicePipe pipe;
  REQUIRE_FALSE(pipe.open());
  error_code failure;
  pipe.fill_from(from.ends[1], failure);
  CHECK(failure == error::would_block);

  REQUIRE(::send(from.ends[0], "hello", 5, 0) == 5);
  pipe.fill_from(from.ends[1], failure);
  CHECK_FALSE(failure);
  CHECK(pipe.held() == 5);
  pipe.drain_to(to.ends[0], failure);
  CHECK_FALSE(failure);
  CHECK(pipe.held() == 0);
  CHECK(to.received() == "hello");

  from.close(0);
  pipe.fill_from(from.ends[1], failure);
  CHECK_FALSE(failure);
  CHECK(pipe.held() == 0);
}

TEST_CASE("splice pipe: what the other socket does not take is held, in order") {
  SocketPair from;
  SocketPair to;
  SplicePipe pipe;
  REQUIRE_FALSE(pipe.open());
  std::string sent, passed;
  error_code failure;
  bool was_refused = false;
  for (int block = 0; block < 200; ++block) {
    const std::string text(40'000, static_cast<char>('a' + block % 26));
    for (std::size_t done = 0; done < text.size();) {
      const ssize_t count = ::send(from.ends[0], text.data() + done, text.size() - done, 0);
      if (count > 0) {
        sent.append(text, done, static_cast<std::size_t>(count));
        done += static_cast<std::size_t>(count);
      }
      if (pipe.held() == 0) {
        pipe.fill_from(from.ends[1], failure);
        REQUIRE((!failure || failure == error::would_block));
      }
      pipe.drain_to(to.ends[0], failure);
      if (failure == error::would_block) {
        was_refused = true;
        CHECK(pipe.held() > 0);
        passed += to.received();
      } else {
        REQUIRE_FALSE(failure);
      }
    }
  }
  from.close(0);
  for (bool ended = false; !ended;) {
    if (pipe.held() == 0) {
      pipe.fill_from(from.ends[1], failure);
      REQUIRE_FALSE(failure);
      ended = pipe.held() == 0;
    }
    pipe.drain_to(to.ends[0], failure);
    passed += to.received();
  }
  for (std::string rest = to.received(); !rest.empty(); rest = to.received())
    passed += rest;
  CHECK(was_refused);
  CHECK(sent.size() == 8'000'000);
  CHECK((passed == sent));
}

TEST_CASE("splice pipe: a socket that is gone is an error") {
  SocketPair from;
  SocketPair to;
  SplicePipe pipe;
  REQUIRE_FALSE(pipe.open());
  REQUIRE(::send(from.ends[0], "x", 1, 0) == 1);
  error_code failure;
  pipe.fill_from(from.ends[1], failure);
  REQUIRE_FALSE(failure);
  to.close(1);
  // The agent ignores SIGPIPE; splice(2) knows no MSG_NOSIGNAL.
  const auto previous = std::signal(SIGPIPE, SIG_IGN);
  pipe.drain_to(to.ends[0], failure);
  std::signal(SIGPIPE, previous);
  CHECK(failure == error::broken_pipe);
  pipe.fill_from(-1, failure);
  CHECK(failure == error::bad_descriptor);
}

}  // namespace invlog::tests
