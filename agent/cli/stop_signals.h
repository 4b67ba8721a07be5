// SIGINT and SIGTERM as a call on a thread of its own, so that what they stop may take locks.
//
// Why not a handler: a handler may do next to nothing. The signals are blocked in the thread that
// makes the object, and so in every thread that it starts afterwards; one thread waits for them.
// The second signal is called too (count 2): who asks twice does not want to wait.
//
// Threads: make and destroy it on one. Errors: throws std::system_error if the kernel gives no
// thread.
#pragma once

#include <signal.h>

#include <atomic>
#include <functional>
#include <thread>

namespace invlog::cli {

class StopSignals {
 public:
  explicit StopSignals(std::function<void(int count)> on_signal);
  // What was blocked before, is again; a signal that came in between is forgotten.
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

 private:
  void wait();

  const std::function<void(int)> on_signal_;
  sigset_t signals_{}, blocked_before_{};
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

}  // namespace invlog::cli
