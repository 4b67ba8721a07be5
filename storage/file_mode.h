// Who may read the files that have prompts in them.
//
// Pure function over a directory's mode; any thread.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <string>

#include "storage/directory_of.h"

namespace invlog::storage {

// For a file at `path`: 0600, its owner's alone; or 0640 where the directory's mode is 0750, which
// says that the group, and nobody else, is meant to read.
inline mode_t private_file_mode(const std::string& path) {
  struct stat information {};
  const bool group_reads =
      ::stat(directory_of(path).c_str(), &information) == 0 && (information.st_mode & 0777) == 0750;
  return group_reads ? 0640 : 0600;
}

}  // namespace invlog::storage
