// While one of these lives, SIGPIPE does not reach its thread.
//
// OpenSSL writes to sockets without MSG_NOSIGNAL, and a command of invlog (`ship --once`) keeps
// SIGPIPE's default, so that it ends with the reader of its output. libcurl's own remedy changes
// the whole process's handler under the other threads' feet; this one is the thread's alone.
#pragma once

#include <cerrno>
#include <csignal>
#include <ctime>

namespace invlog::aws {

class SigpipeBlocked {
 public:
  SigpipeBlocked() {
    sigemptyset(&sigpipe_);
    sigaddset(&sigpipe_, SIGPIPE);
    sigset_t pending;
    sigemptyset(&pending);
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);
  }
  ~SigpipeBlocked() {
    if (!was_pending_) {
      const timespec at_once{};
      while (sigtimedwait(&sigpipe_, nullptr, &at_once) == -1 && errno == EINTR) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SigpipeBlocked(const SigpipeBlocked&) = delete;
  SigpipeBlocked& operator=(const SigpipeBlocked&) = delete;

 private:
  sigset_t sigpipe_{}, before_{};
  bool was_pending_ = false;
};

}  // namespace invlog::aws
