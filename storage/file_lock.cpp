#include "storage/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "storage/file_identity.h"
#include "storage/store_error.h"

namespace invlog::storage {
namespace {

constexpr std::chrono::milliseconds kPause{50};

// What root makes by hand must not lock out the agent, as SQLite does for its own files. The
// directory is the agent's, who could have put another file there: only an empty one without a
// second name is given away. Returns what is wrong.
std::string give_to_owner(int descriptor, const std::string& store) {
  struct stat file {};
  if (::fstat(descriptor, &file) != 0) {
    return std::strerror(errno);
  }
  if (!S_ISREG(file.st_mode) || file.st_nlink != 1) {
    return "it is no lock file of invlog's, but something else; remove it";
  }
  struct stat owner {};
  if (::geteuid() != 0 || ::stat(store.c_str(), &owner) != 0 ||
      (file.st_uid == owner.st_uid && file.st_gid == owner.st_gid)) {
    return "";
  }
  if (file.st_size != 0) {
    return "it is no lock file of invlog's, which is empty; remove it";
  }
  return ::fchown(descriptor, owner.st_uid, owner.st_gid) == 0
             ? ""
             : std::string("cannot give it to the store's owner: ") + std::strerror(errno);
}

int open_lock_file(const std::string& path, const std::string& store) {
  const int descriptor =
      ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    const bool is_link = errno == ELOOP;
    throw StoreError("store " + store + ": cannot create " + path + ": " + std::strerror(errno) +
                     (is_link ? "; it is a link, which no lock file of invlog's is: remove it"
                              : "; check that the directory exists and is writable"));
  }
  if (const std::string problem = give_to_owner(descriptor, store); !problem.empty()) {
    ::close(descriptor);
    throw StoreError("store " + store + ": " + path + ": " + problem);
  }
  return descriptor;
}

// False: somebody else holds it.
bool lock(int descriptor) {
  return ::flock(descriptor, LOCK_EX | LOCK_NB) == 0;
}

}  // namespace

FileLock::FileLock(const std::string& path, const std::string& store)
    : path_(path), store_(store), descriptor_(open_lock_file(path, store)) {}

FileLock::FileLock(const std::string& path, const std::string& store,
                   std::chrono::milliseconds patience, const Sleep& sleep)
    : path_(path), store_(store), descriptor_(open_lock_file(path, store)) {
  for (auto waited = std::chrono::milliseconds(0); !lock(descriptor_); waited += kPause) {
    if (waited >= patience) {
      ::close(descriptor_);
      throw StoreError("store " + store +
                       ": another invlog agent or `invlog erase` has it open; stop that one, or "
                       "use another state_dir");
    }
    sleep ? sleep(kPause) : std::this_thread::sleep_for(kPause);
  }
}

std::unique_ptr<FileLock> FileLock::try_lock(const std::string& path, const std::string& store) {
  std::unique_ptr<FileLock> held(new FileLock(path, store));
  return lock(held->descriptor_) ? std::move(held) : nullptr;
}

bool FileLock::is_in_place() const {
  struct stat held {};
  return ::fstat(descriptor_, &held) != 0 || !has_left({held.st_dev, held.st_ino}, path_);
}

bool FileLock::take_again() {
  const int descriptor = open_lock_file(path_, store_);
  const bool taken = lock(descriptor);
  ::close(taken ? std::exchange(descriptor_, descriptor) : descriptor);
  return taken;
}

FileLock::~FileLock() {
  ::close(descriptor_);
}

}  // namespace invlog::storage
