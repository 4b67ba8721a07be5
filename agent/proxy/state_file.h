// A file of the state directory that is replaced whole: written beside it, synced, renamed. It
// belongs to the agent's user also when root writes it, because the agent must read it: the owner
// of the agent's lock, or before there is one the directory's owner.
//
// Unlike cli::OutputFile the temporary name is always the same: what a process that was killed left
// there, perhaps a key, is overwritten by the next one instead of staying. Who writes holds the
// directory's lock (DirectoryLock).
//
// Thread: the caller's. Errors: throws std::runtime_error naming the file and the cause.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>

namespace invlog::proxy {

// Puts a file in the place of another; tests fail in its stead.
using RenameFile = std::function<void(const std::string& from, const std::string& to)>;
void rename_file(const std::string& from, const std::string& to);

// `mode` whatever the umask. With 0600 nobody else could read it for a moment.
void write_state_file(const std::string& path, std::string_view content, mode_t mode,
                      const RenameFile& rename);

// Held while files of the directory are written; the kernel's, so it goes with the process. Throws
// if another process holds it, or if files written there would not be the agent's user's. In a
// directory of root's that is any user who may write there, until an agent has run.
class DirectoryLock {
 public:
  explicit DirectoryLock(const std::string& directory);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace invlog::proxy
