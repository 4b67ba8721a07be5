#include "agent/bedrock/user_names.h"

#include <pwd.h>
#include <sys/types.h>

#include <unordered_map>
#include <vector>

namespace invlog::bedrock {
namespace {

constexpr std::size_t kMaximumKept = 256;

std::string look_up(std::uint32_t uid) {
  std::vector<char> buffer(4096);
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(static_cast<uid_t>(uid), &entry, buffer.data(), buffer.size(), &found) == 0 &&
      found != nullptr && found->pw_name != nullptr && *found->pw_name != '\0') {
    return found->pw_name;
  }
  return std::to_string(uid);
}

}  // namespace

std::string user_name(std::uint32_t uid) {
  thread_local std::unordered_map<std::uint32_t, std::string> names;
  const auto known = names.find(uid);
  if (known != names.end()) {
    return known->second;
  }
  if (names.size() >= kMaximumKept) {
    names.clear();
  }
  return names.emplace(uid, look_up(uid)).first->second;
}

}  // namespace invlog::bedrock
