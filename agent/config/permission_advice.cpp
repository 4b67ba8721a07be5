#include "agent/config/permission_advice.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "agent/config/setting_checks.h"
#include "agent/config/system_entries.h"

namespace invlog::config {
namespace {

// Of `path`, or of the nearest folder above it that this user is let see: that one keeps him out.
struct stat nearest_seen(const std::string& path) {
  struct stat about {};
  std::filesystem::path at = absolute_path(path);
  while (::stat(at.c_str(), &about) != 0 && at.has_relative_path()) {
    at = at.parent_path();
  }
  return about;
}

template <class Entry>
std::string name_of(const Found<Entry>& found, std::uint32_t id) {
  return found && *found ? (*found)->name : std::to_string(id);
}

bool lets_group_read(const struct stat& about) {
  const mode_t needed = S_ISDIR(about.st_mode) ? S_IRGRP | S_IXGRP : S_IRGRP;
  return (about.st_mode & needed) == needed && about.st_gid != 0;
}

}  // namespace

std::string advice_to_read(const std::string& path) {
  const struct stat about = nearest_seen(path);
  if (!lets_group_read(about) || ::group_member(about.st_gid) != 0) {
    return advice_to_write(path);
  }
  const std::string group = name_of(find_system_group(about.st_gid), about.st_gid);
  return "members of the group " + in_quotes(group) + " may (usermod -aG " + group +
         " USER, then log in again)";
}

std::string advice_to_write(const std::string& path) {
  const uid_t owner = nearest_seen(path).st_uid;
  const std::string user = name_of(find_system_user(owner), owner);
  const std::string for_sudo = all_digits(user) ? "'#" + user + "'" : user;
  return "run this as the agent's user, " + in_quotes(user) + " (sudo -u " + for_sudo +
         " invlog ...)";
}

}  // namespace invlog::config
