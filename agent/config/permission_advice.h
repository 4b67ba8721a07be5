// What to do where the system does not let this user at the agent's files: who may read them is the
// group of their directory, if its mode says so (storage/file_mode.h); who may write them is the
// agent's user alone, whom they belong to.
//
// Thread: any; asks the file system, and the system's users and groups, which may block. Errors:
// none; who has no name has his number.
#pragma once

#include <string>

namespace invlog::config {

// `members of the group "invlog" may (usermod -aG invlog USER, then log in again)`, or what
// advice_to_write() says where no group is let in, or this user is in it and not let in either.
std::string advice_to_read(const std::string& path);

// `run this as the agent's user, "invlog" (sudo -u invlog invlog ...)`
std::string advice_to_write(const std::string& path);

}  // namespace invlog::config
