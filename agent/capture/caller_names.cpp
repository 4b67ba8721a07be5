#include "agent/capture/caller_names.h"

#include <algorithm>
#include <utility>

#include "agent/config/system_entries.h"

namespace invlog::capture {
namespace {

using std::chrono::seconds;

constexpr std::size_t kMostNamesKept = 256;
constexpr seconds kNameKept{60};
constexpr seconds kNoNameKept{1};
// A directory that does not answer must not be waited for most of the time.
constexpr int kPausePerWait = 10;

}  // namespace

UserName name_of_user(std::uint32_t uid) {
  const auto user = config::find_system_user(uid);
  if (!user)
    return tl::unexpected(user.error());
  return *user && !(*user)->name.empty() ? std::optional((*user)->name) : std::nullopt;
}

CallerNames::CallerNames(Executor executor, asio::thread_pool& helper, LookUp look_up,
                         std::function<Time()> now, std::chrono::milliseconds patience)
    : now_(std::move(now)),
      lookups_(
          executor, helper, std::move(look_up),
          [this](std::uint32_t uid, UserName name, Time asked_at) {
            take(uid, std::move(name), asked_at);
          },
          patience) {}

void CallerNames::take(std::uint32_t uid, UserName name, Time asked_at) {
  const Time now = now_();
  std::optional<std::string> before = known(uid);
  if (known_.size() >= kMostNamesKept)
    known_.clear();
  if (name && *name) {
    known_[uid] = {std::move(*name), now + kNameKept};
    return;
  }
  const Time until =
      now + std::clamp<Time::duration>(kPausePerWait * (now - asked_at), kNoNameKept, kNameKept);
  known_[uid] = {name ? std::to_string(uid) : std::move(before), until};
}

bool CallerNames::ask(std::uint32_t uid) {
  const Time now = now_();
  const auto found = known_.find(uid);
  if (found != known_.end() && now < found->second.until)
    return false;
  lookups_.begin(uid, now);
  return true;
}

std::optional<std::string> CallerNames::known(std::uint32_t uid) const {
  const auto found = known_.find(uid);
  return found == known_.end() ? std::nullopt : found->second.name;
}

Task<std::optional<std::string>> CallerNames::of(std::uint32_t uid, Event& woken) {
  if (ask(uid))
    co_await lookups_.wait(uid, woken);
  co_return known(uid);
}

}  // namespace invlog::capture
