// Whether a file system takes what is written to it. SQLite says "unable to open database file" or
// "disk I/O error" for a full disk as for a wrong path; who has to tell them apart asks here.
//
// Any thread; a probe of its own each time. Errors: none leave it.
#pragma once

#include <string>

namespace invlog::storage {

// Writes a few KiB into a file of its own in this directory (as directory_of() says it), and
// removes it. "": that works, or fails for another reason than the disk (no such directory, no
// permission). Else the cause: no space left, read-only, quota exceeded, input/output error.
std::string disk_refusal(const std::string& directory);

}  // namespace invlog::storage
