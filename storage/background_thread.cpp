#include "storage/background_thread.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace invlog::storage {
namespace {

constexpr std::uint64_t kTurnNanoseconds = 100'000;

// sched_setattr(2), its first published form. The kernel's header for it does not go with the C
// library's <sched.h>.
struct SchedulingAttributes {
  std::uint32_t size = sizeof(SchedulingAttributes);
  std::uint32_t policy = 0;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0, deadline = 0, period = 0;
};
static_assert(sizeof(SchedulingAttributes) == 48);

}  // namespace

// On Linux, against POSIX, each of these calls is about one thread.
void make_background_thread(int niceness) {
  const auto thread = static_cast<id_t>(::gettid());
  const int now = ::getpriority(PRIO_PROCESS, thread);
  static_cast<void>(::setpriority(PRIO_PROCESS, thread, now + niceness));
  SchedulingAttributes attributes;
  if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) == 0) {
    attributes.runtime = kTurnNanoseconds;
    static_cast<void>(::syscall(SYS_sched_setattr, 0, &attributes, 0));
  }
}

}  // namespace invlog::storage
