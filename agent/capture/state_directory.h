// The agent's state directory: made if missing (0700), and locked so that two agents do not share
// one store.
//
// Any thread. Errors: throws std::runtime_error with one clear line. The lock is the kernel's
// (flock on `agent.lock`): it goes with the process, however that ends.
#pragma once

#include <string>

namespace invlog::capture {

class StateDirectory {
 public:
  explicit StateDirectory(const std::string& path);
  ~StateDirectory();
  StateDirectory(const StateDirectory&) = delete;
  StateDirectory& operator=(const StateDirectory&) = delete;

 private:
  int lock_ = -1;
};

}  // namespace invlog::capture
