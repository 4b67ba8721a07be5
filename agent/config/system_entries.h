// Users and groups as the system's databases have them (getpwuid_r and the like), with as much room
// as an entry needs: a group with many members takes more than any fixed size.
//
// Threads: any; may ask a directory server, and then blocks. Errors: nobody of that name or number
// is an ordinary answer; that the databases could not be asked is an errno.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tl/expected.hpp>

namespace invlog::config {

struct SystemUser {
  std::string name;
  std::uint32_t id = 0, group = 0;
};

struct SystemGroup {
  std::string name;
  std::uint32_t id = 0;
};

template <class Entry>
using Found = tl::expected<std::optional<Entry>, int>;

Found<SystemUser> find_system_user(std::uint32_t id);
Found<SystemUser> find_system_user(const std::string& name);
Found<SystemGroup> find_system_group(std::uint32_t id);
Found<SystemGroup> find_system_group(const std::string& name);

}  // namespace invlog::config
