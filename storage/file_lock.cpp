#include "storage/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "storage/store_error.h"

namespace invlog::storage {

FileLock::FileLock(const std::string& path, const std::string& store)
    : descriptor_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
  if (descriptor_ < 0) {
    throw StoreError("store " + store + ": cannot create " + path + ": " + std::strerror(errno) +
                     "; check that the directory exists and is writable");
  }
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    ::close(descriptor_);
    throw StoreError("store " + store +
                     ": another invlog agent has it open; stop that one, or use another state_dir");
  }
}

FileLock::~FileLock() {
  ::close(descriptor_);
}

}  // namespace invlog::storage
