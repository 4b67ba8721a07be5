// An exclusive lock for the life of an object: at most one agent writes a store, at most one
// process delivers to a destination. The kernel drops it with the process; the file stays. Where
// somebody removes that all the same, whoever comes makes another one, and meets nobody there: so
// who holds a lock for long looks whether it still has its name.
//
// Threads: any. Errors: throws StoreError naming `store`, for which the lock stands.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace invlog::storage {

class FileLock {
 public:
  using Sleep = std::function<void(std::chrono::milliseconds)>;
  // Throws if another agent holds it, or an eraser, which takes a store's lock where no agent runs;
  // that may be for a moment, so it is waited for. `sleep`: empty: the thread's.
  FileLock(const std::string& path, const std::string& store, std::chrono::milliseconds patience,
           const Sleep& sleep = {});
  // No value: somebody else holds it.
  static std::unique_ptr<FileLock> try_lock(const std::string& path, const std::string& store);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  // The locked file still has its name.
  bool is_in_place() const;
  // Where it has not: locks the one that is there now, or a new one. False: somebody else holds
  // that.
  bool take_again();

 private:
  FileLock(const std::string& path, const std::string& store);

  const std::string path_, store_;
  int descriptor_;
};

}  // namespace invlog::storage
