#include "agent/capture/caller_groups.h"

#include <grp.h>

#include <algorithm>
#include <utility>

#include "agent/config/system_entries.h"

namespace invlog::capture {
namespace {

constexpr std::size_t kMostUsersKept = 256;
constexpr std::chrono::seconds kGroupsKept{60};
constexpr int kMostGroups = 65536;  // Linux's NGROUPS_MAX

}  // namespace

std::optional<std::vector<std::uint32_t>> groups_of_user(std::uint32_t uid) {
  const auto user = config::find_system_user(uid);
  if (!user)
    return std::nullopt;
  if (!*user)
    return CallerGroups::Groups();
  std::vector<gid_t> groups(64);
  int count = static_cast<int>(groups.size());
  while (::getgrouplist((*user)->name.c_str(), (*user)->group, groups.data(), &count) < 0) {
    if (count > kMostGroups)
      return std::nullopt;
    groups.resize(std::max<std::size_t>(static_cast<std::size_t>(count), groups.size() * 2));
    count = static_cast<int>(groups.size());
  }
  return CallerGroups::Groups(groups.begin(), groups.begin() + count);
}

CallerGroups::CallerGroups(Executor executor, asio::thread_pool& helper, LookUp look_up,
                           SteadyNow now, std::chrono::milliseconds patience)
    : now_(std::move(now)),
      lookups_(
          executor, helper, std::move(look_up),
          [this](std::uint32_t uid, std::optional<Groups> groups, auto asked_at) {
            if (!groups)
              return;
            if (known_.size() >= kMostUsersKept)
              known_.clear();
            known_[uid] = {std::make_shared<const Groups>(std::move(*groups)), asked_at};
          },
          patience) {}

std::shared_ptr<const CallerGroups::Groups> CallerGroups::known(std::uint32_t uid) const {
  const auto found = known_.find(uid);
  const bool fresh = found != known_.end() && now_() - found->second.asked_at < kGroupsKept;
  return fresh ? found->second.groups : nullptr;
}

Task<std::shared_ptr<const CallerGroups::Groups>> CallerGroups::of(std::uint32_t uid,
                                                                   Event& woken) {
  if (auto groups = known(uid))
    co_return groups;
  lookups_.begin(uid, now_());
  co_await lookups_.wait(uid, woken);
  auto groups = known(uid);
  if (!groups && !lookups_.is_under_way(uid))
    groups = std::make_shared<const Groups>();
  co_return groups;
}

}  // namespace invlog::capture
