// An exclusive lock for the life of an object: at most one agent writes a store. The kernel drops
// it with the process.
//
// Threads: any. Errors: the constructor throws StoreError naming `store`, for which the lock
// stands.
#pragma once

#include <string>

namespace invlog::storage {

class FileLock {
 public:
  FileLock(const std::string& path, const std::string& store);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int descriptor_;
};

}  // namespace invlog::storage
