#include "storage/background_thread.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <thread>

#include "tests/catch.h"

namespace invlog::storage {
namespace {

struct Standing {
  int niceness = 0;
  std::uint64_t turn_ns = 0;  // 0: a kernel that has none of a thread's own
};

Standing of_this_thread() {
  Standing standing;
  standing.niceness = ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()));
  constexpr std::size_t kRuntime = 3;  // sched_setattr(2): at byte 24
  std::array<std::uint64_t, 7> attributes{};
  if (::syscall(SYS_sched_getattr, 0, attributes.data(), sizeof(attributes), 0) == 0) {
    standing.turn_ns = attributes[kRuntime];
  }
  return standing;
}

}  // namespace

TEST_CASE("A background thread is nicer, has short turns, and the others stay as they are") {
  const Standing before = of_this_thread();
  Standing inside;
  std::thread([&] {
    make_background_thread(3);
    inside = of_this_thread();
  }).join();
  constexpr int kNicest = 19;
  CHECK(inside.niceness == std::min(before.niceness + 3, kNicest));
  CHECK(inside.turn_ns == (before.turn_ns == 0 ? 0 : 100'000));
  CHECK(of_this_thread().niceness == before.niceness);
  CHECK(of_this_thread().turn_ns == before.turn_ns);
}

}  // namespace invlog::storage
