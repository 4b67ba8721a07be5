// An SQLite VFS below the store that knows what would survive a power cut, and that fails writes on
// request.
//
// Everything passes through to the default VFS. Beside it, each database and WAL file has an image
// of what has been synced, and a list of the writes since; snapshot() makes the files that a
// machine would find after losing its power at this moment: the image, with none, some or all of
// the unsynced writes, in sectors.
//
// Threads: any. Lives as long as the process once registered.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace invlog::storage {

class UnsyncedVfs {
 public:
  static UnsyncedVfs& instance();

  const char* name() const { return "invlog-unsynced"; }
  // Forgets all images and faults.
  void clear();
  // Called before each write and sync, with the image still as it was.
  void set_hook(std::function<void()> hook);
  // `survival`: chance in percent that a sector written and not synced is there afterwards. Call
  // from the hook. Returns how many sectors were dropped.
  std::uint64_t snapshot(const std::filesystem::path& database, const std::filesystem::path& target,
                         int survival, std::uint64_t seed);
  // Every write fails with this SQLite result code; 0: no more.
  void fail_writes(int code);

 private:
  UnsyncedVfs();
};

}  // namespace invlog::storage
