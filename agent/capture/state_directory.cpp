#include "agent/capture/state_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

namespace invlog::capture {

StateDirectory::StateDirectory(const std::string& path) {
  const std::string where = "state_dir " + path + ": ";
  std::error_code failure;
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty())
    std::filesystem::create_directories(parent, failure);
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    throw std::runtime_error(where + std::strerror(errno));
  }
  const std::string lock_path = path + "/agent.lock";
  lock_ = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0 && errno == EROFS)  // what is there can be locked all the same
    lock_ = ::open(lock_path.c_str(), O_RDONLY | O_CLOEXEC);
  if (lock_ < 0) {
    const std::string cause = std::strerror(errno);
    throw std::runtime_error(where + (errno == ENOTDIR ? "" : lock_path + ": ") + cause);
  }
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    ::close(lock_);
    throw std::runtime_error(where +
                             "another agent is using it; stop that one, or give this one "
                             "its own --state-dir");
  }
}

StateDirectory::~StateDirectory() {
  ::close(lock_);
}

}  // namespace invlog::capture
