// Which file has a name: shows whether one that is held open still has it, since no other gets its
// number as long as it is open.
//
// Threads: any. Errors: none; where the file system does not say, nothing is.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cerrno>
#include <optional>
#include <string>

namespace invlog::storage {

struct FileIdentity {
  dev_t device;
  ino_t inode;
};

// No value: no file has the name.
inline std::optional<FileIdentity> identity_at(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return std::nullopt;
  }
  return FileIdentity{status.st_dev, status.st_ino};
}

// The file has been removed from the name, or replaced there.
inline bool has_left(const FileIdentity& file, const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return errno == ENOENT;
  }
  return status.st_dev != file.device || status.st_ino != file.inode;
}

}  // namespace invlog::storage
