#include "agent/bedrock/user_names.h"

#include <algorithm>
#include <utility>

#include "agent/config/system_entries.h"

namespace invlog::bedrock {
namespace {

using std::chrono::seconds;

constexpr std::size_t kMaximumKept = 256;
constexpr seconds kNameKept{60};
constexpr seconds kNoNameKept{1};
// A directory that does not answer must not be waited for most of the time.
constexpr int kPausePerWait = 10;

tl::expected<std::optional<std::string>, int> name_in_system(std::uint32_t uid) {
  const auto user = config::find_system_user(uid);
  if (!user) {
    return tl::unexpected(user.error());
  }
  return *user && !(*user)->name.empty() ? std::optional((*user)->name) : std::nullopt;
}

}  // namespace

UserNames::UserNames(LookUp look_up, std::function<Time()> now)
    : look_up_(std::move(look_up)), now_(std::move(now)) {}

std::optional<std::string> UserNames::of(std::uint32_t uid) {
  const Time now = now_();
  const auto found = known_.find(uid);
  if (found != known_.end() && now < found->second.until) {
    return found->second.name;
  }
  std::optional<std::string> before;
  if (found != known_.end()) {
    before = std::move(found->second.name);
  }
  if (known_.size() >= kMaximumKept) {
    known_.clear();
  }
  return (known_[uid] = ask(uid, now, std::move(before))).name;
}

UserNames::Known UserNames::ask(std::uint32_t uid, Time now,
                                std::optional<std::string> before) const {
  const auto name = look_up_(uid);
  const Time answered = now_();
  if (name && *name) {
    return {*name, answered + kNameKept};
  }
  const Time until = answered + std::clamp<Time::duration>(kPausePerWait * (answered - now),
                                                           kNoNameKept, kNameKept);
  return {name ? std::to_string(uid) : std::move(before), until};
}

std::optional<std::string> known_user_name(std::uint32_t uid) {
  thread_local UserNames names(name_in_system, [] { return std::chrono::steady_clock::now(); });
  return names.of(uid);
}

std::string user_name(std::uint32_t uid) {
  return known_user_name(uid).value_or(std::to_string(uid));
}

}  // namespace invlog::bedrock
