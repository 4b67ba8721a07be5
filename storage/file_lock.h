// An exclusive lock for the life of an object: at most one agent writes a store, at most one
// process delivers to a destination. The kernel drops it with the process; the file stays.
//
// Threads: any. Errors: throws StoreError naming `store`, for which the lock stands.
#pragma once

#include <memory>
#include <string>

namespace invlog::storage {

class FileLock {
 public:
  // Throws if another agent holds it.
  FileLock(const std::string& path, const std::string& store);
  // No value: somebody else holds it.
  static std::unique_ptr<FileLock> try_lock(const std::string& path, const std::string& store);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
};

}  // namespace invlog::storage
