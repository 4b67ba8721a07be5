#include "storage/disk_refusal.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace invlog::storage {
namespace {

bool is_the_disks(int error) {
  return error == ENOSPC || error == EDQUOT || error == EROFS || error == EIO;
}

// 0, or errno.
int write_probe(const std::string& path) {
  const int file =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) {
    return errno;
  }
  const std::array<char, 64 * 1024> bytes{};  // what SQLite needs for its shared memory, twice
  const ssize_t written = ::write(file, bytes.data(), bytes.size());
  const int error = written < 0                                        ? errno
                    : static_cast<std::size_t>(written) < bytes.size() ? ENOSPC
                                                                       : 0;
  ::close(file);
  ::unlink(path.c_str());
  return error;
}

}  // namespace

std::string disk_refusal(const std::string& directory) {
  const int error = write_probe(directory + "probe-" + std::to_string(::getpid()));
  return is_the_disks(error) ? std::strerror(error) : "";
}

}  // namespace invlog::storage
