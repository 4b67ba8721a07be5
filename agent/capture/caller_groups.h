// The groups that a user is in, for callers of whom the kernel tells only the user (loopback TCP).
//
// The system's databases may ask a directory server, so they are asked on a helper thread. What
// they say is kept for a minute; that they could not be asked is not kept.
//
// Thread: the I/O thread; the lookup runs on the helper's. Ownership: the helper must outlive it,
// and be joined before the loop is destroyed. Errors: a user whom nobody knows is in no group, and
// for the call at hand neither is one of whom nobody could be asked.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "agent/capture/event.h"

namespace invlog::capture {

// Primary and supplementary groups as the system's databases have them; empty: they could not be
// asked.
std::optional<std::vector<std::uint32_t>> groups_of_user(std::uint32_t uid);

class CallerGroups {
 public:
  using Groups = std::vector<std::uint32_t>;
  using LookUp = std::function<std::optional<Groups>(std::uint32_t uid)>;
  using SteadyNow = std::function<std::chrono::steady_clock::time_point()>;

  CallerGroups(Executor executor, asio::thread_pool& helper, LookUp look_up, SteadyNow now);

  Task<std::shared_ptr<const Groups>> of(std::uint32_t uid);

 private:
  struct Known {
    std::shared_ptr<const Groups> groups;
    std::chrono::steady_clock::time_point asked_at;
  };

  Executor executor_;
  asio::thread_pool& helper_;
  LookUp look_up_;
  SteadyNow now_;
  std::map<std::uint32_t, Known> known_;
};

}  // namespace invlog::capture
