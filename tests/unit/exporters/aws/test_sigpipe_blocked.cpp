#include "exporters/aws/sigpipe_blocked.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "tests/catch.h"

using invlog::aws::SigpipeBlocked;

TEST_CASE("writing to a closed pipe does not end the process while SIGPIPE is blocked, nor after") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  ::close(ends[0]);
  auto* const before = std::signal(SIGPIPE, SIG_DFL);
  {
    const SigpipeBlocked blocked;
    CHECK(::write(ends[1], "x", 1) == -1);
    CHECK(errno == EPIPE);
  }
  // Out of scope a signal that had stayed pending would have ended the process by now.
  sigset_t mask;
  sigemptyset(&mask);
  pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  CHECK(sigismember(&mask, SIGPIPE) == 0);
  std::signal(SIGPIPE, before);
  ::close(ends[1]);
}
