// The groups that a user is in, for callers of whom the kernel tells only the user (loopback TCP).
//
// What the system's databases say, asked on a helper thread and waited for a second at most
// (user_lookups.h), is kept for a minute; that they could not be asked is not kept.
//
// Thread: the I/O thread; the lookup runs on the helper's. Ownership: as UserLookups. Errors: a
// user whom nobody knows is in no group, and for the call at hand neither is one of whom nobody
// could be asked; null: the answer has not come in time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "agent/capture/user_lookups.h"

namespace invlog::capture {

// Primary and supplementary groups as the system's databases have them; empty: they could not be
// asked.
std::optional<std::vector<std::uint32_t>> groups_of_user(std::uint32_t uid);

class CallerGroups {
 public:
  using Groups = std::vector<std::uint32_t>;
  using LookUp = UserLookups<std::optional<Groups>>::LookUp;
  using SteadyNow = std::function<std::chrono::steady_clock::time_point()>;

  CallerGroups(Executor executor, asio::thread_pool& helper, LookUp look_up, SteadyNow now,
               std::chrono::milliseconds patience = kLookupPatience);
  CallerGroups(const CallerGroups&) = delete;
  CallerGroups& operator=(const CallerGroups&) = delete;

  // Does not wait any longer once `woken` is set.
  Task<std::shared_ptr<const Groups>> of(std::uint32_t uid, Event& woken);

 private:
  struct Known {
    std::shared_ptr<const Groups> groups;
    std::chrono::steady_clock::time_point asked_at;
  };

  std::shared_ptr<const Groups> known(std::uint32_t uid) const;

  SteadyNow now_;
  std::map<std::uint32_t, Known> known_;
  UserLookups<std::optional<Groups>> lookups_;
};

}  // namespace invlog::capture
