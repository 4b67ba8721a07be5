#include "storage/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "storage/store_error.h"

namespace invlog::storage {
namespace {

int open_lock_file(const std::string& path, const std::string& store) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    throw StoreError("store " + store + ": cannot create " + path + ": " + std::strerror(errno) +
                     "; check that the directory exists and is writable");
  }
  // What root makes by hand must not lock out the agent, as SQLite does for its own files.
  struct stat status {};
  if (::geteuid() == 0 && ::stat(store.c_str(), &status) == 0 &&
      ::fchown(descriptor, status.st_uid, status.st_gid) != 0) {
    ::close(descriptor);
    throw StoreError("store " + store + ": cannot give " + path +
                     " to the store's owner: " + std::strerror(errno));
  }
  return descriptor;
}

// False: somebody else holds it.
bool lock(int descriptor) {
  return ::flock(descriptor, LOCK_EX | LOCK_NB) == 0;
}

}  // namespace

FileLock::FileLock(const std::string& path, const std::string& store)
    : descriptor_(open_lock_file(path, store)) {
  if (!lock(descriptor_)) {
    ::close(descriptor_);
    throw StoreError("store " + store +
                     ": another invlog agent has it open; stop that one, or use another state_dir");
  }
}

std::unique_ptr<FileLock> FileLock::try_lock(const std::string& path, const std::string& store) {
  std::unique_ptr<FileLock> held(new FileLock(open_lock_file(path, store)));
  return lock(held->descriptor_) ? std::move(held) : nullptr;
}

FileLock::~FileLock() {
  ::close(descriptor_);
}

}  // namespace invlog::storage
