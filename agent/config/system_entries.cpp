#include "agent/config/system_entries.h"

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <vector>

namespace invlog::config {
namespace {

constexpr std::size_t kFirstBytes = 4096;
constexpr std::size_t kMostBytes = 256 << 20;

// Calls `ask(entry, buffer, size, found)`, one of the C library's functions, with a buffer that is
// large enough; `take(entry)` copies what is wanted out of it.
template <class Raw, class Entry, class Ask, class Take>
Found<Entry> find_entry(const Ask& ask, const Take& take) {
  std::vector<char> buffer(kFirstBytes);
  while (true) {
    Raw entry{};
    Raw* found = nullptr;
    const int failure = ask(&entry, buffer.data(), buffer.size(), &found);
    if (found != nullptr)
      return std::optional<Entry>(take(*found));
    if (failure == ERANGE && buffer.size() < kMostBytes) {
      buffer.resize(2 * buffer.size());
    } else if (failure != EINTR) {
      // Of these some C libraries make "there is none" (getpwnam(3)).
      const bool nobody = failure == 0 || failure == ENOENT || failure == ESRCH;
      return nobody ? Found<Entry>(std::nullopt) : tl::unexpected(failure);
    }
  }
}

template <class Ask>
Found<SystemUser> find_user_entry(const Ask& ask) {
  return find_entry<passwd, SystemUser>(ask, [](const passwd& entry) {
    return SystemUser{entry.pw_name == nullptr ? "" : entry.pw_name, entry.pw_uid, entry.pw_gid};
  });
}

template <class Ask>
Found<SystemGroup> find_group_entry(const Ask& ask) {
  return find_entry<group, SystemGroup>(ask, [](const group& entry) {
    return SystemGroup{entry.gr_name == nullptr ? "" : entry.gr_name, entry.gr_gid};
  });
}

}  // namespace

Found<SystemUser> find_system_user(std::uint32_t id) {
  return find_user_entry([id](passwd* entry, char* buffer, std::size_t size, passwd** found) {
    return ::getpwuid_r(id, entry, buffer, size, found);
  });
}

Found<SystemUser> find_system_user(const std::string& name) {
  return find_user_entry([&name](passwd* entry, char* buffer, std::size_t size, passwd** found) {
    return ::getpwnam_r(name.c_str(), entry, buffer, size, found);
  });
}

Found<SystemGroup> find_system_group(std::uint32_t id) {
  return find_group_entry([id](group* entry, char* buffer, std::size_t size, group** found) {
    return ::getgrgid_r(id, entry, buffer, size, found);
  });
}

Found<SystemGroup> find_system_group(const std::string& name) {
  return find_group_entry([&name](group* entry, char* buffer, std::size_t size, group** found) {
    return ::getgrnam_r(name.c_str(), entry, buffer, size, found);
  });
}

}  // namespace invlog::config
