// What the calling thread has worked so far, for tests of how an effort grows with its input: what
// else the machine does at the time does not count.
#pragma once

#include <ctime>

namespace invlog::tests {

// Milliseconds of a processor.
inline double worked_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

}  // namespace invlog::tests
