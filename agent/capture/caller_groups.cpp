#include "agent/capture/caller_groups.h"

#include <grp.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "agent/config/system_entries.h"

namespace invlog::capture {
namespace {

constexpr std::size_t kMostUsersKept = 256;
constexpr std::chrono::seconds kGroupsKept{60};
constexpr int kMostGroups = 65536;  // Linux's NGROUPS_MAX

struct GroupsAnswer {
  Event arrived;
  std::optional<CallerGroups::Groups> groups;
};

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
                           SteadyNow now)
    : executor_(executor), helper_(helper), look_up_(std::move(look_up)), now_(std::move(now)) {}

Task<std::shared_ptr<const CallerGroups::Groups>> CallerGroups::of(std::uint32_t uid) {
  if (const auto found = known_.find(uid);
      found != known_.end() && now_() - found->second.asked_at < kGroupsKept) {
    co_return found->second.groups;
  }
  const auto asked_at = now_();
  const auto answer = std::make_shared<GroupsAnswer>();
  asio::post(helper_, [answer, uid, look_up = look_up_, executor = executor_] {
    auto groups = look_up(uid);
    asio::post(executor, [answer, groups = std::move(groups)]() mutable {
      answer->groups = std::move(groups);
      answer->arrived.set();
    });
  });
  co_await answer->arrived.wait();
  if (!answer->groups)
    co_return std::make_shared<const Groups>();
  if (known_.size() >= kMostUsersKept)
    known_.clear();
  const Known known{std::make_shared<const Groups>(std::move(*answer->groups)), asked_at};
  known_[uid] = known;
  co_return known.groups;
}

}  // namespace invlog::capture
