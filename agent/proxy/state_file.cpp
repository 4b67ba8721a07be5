#include "agent/proxy/state_file.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "storage/directory_of.h"

namespace invlog::proxy {
namespace {

[[noreturn]] void fail(const std::string& path, const char* action) {
  const int cause = errno;
  throw std::runtime_error(path + " cannot be " + action + ": " + std::strerror(cause));
}

struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) {
      ::close(number);
    }
  }
};

void write_all(int descriptor, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(descriptor, content.data(), content.size());
    if (written < 0 && errno != EINTR) {
      fail(path, "written");
    }
    content.remove_prefix(static_cast<std::size_t>(written > 0 ? written : 0));
  }
}

void sync(int descriptor, const std::string& path) {
  if (::fsync(descriptor) != 0 && errno != EINVAL) {
    fail(path, "synced");
  }
}

struct stat about(int directory, const std::string& path) {
  struct stat status {};
  if (::fstat(directory, &status) != 0) {
    fail(path, "looked at");
  }
  return status;
}

// Whose agent runs there: once it has run its lock says so, else the directory's owner. A volume
// that is root's is there for whoever its group lets write.
uid_t agents_user(int directory, const std::string& path) {
  struct stat lock {};
  if (::fstatat(directory, "agent.lock", &lock, AT_SYMLINK_NOFOLLOW) == 0) {
    return lock.st_uid;
  }
  const uid_t owner = about(directory, path).st_uid;
  return owner == 0 && ::faccessat(directory, ".", W_OK, AT_EACCESS) == 0 ? ::geteuid() : owner;
}

void give_to_agent(int descriptor, int directory, const std::string& path) {
  const uid_t user = agents_user(directory, path);
  if (::geteuid() == 0 && ::fchown(descriptor, user, about(directory, path).st_gid) != 0) {
    fail(path, "given to the agent's user");
  }
}

std::string user_name(uid_t id) {
  const passwd* user = ::getpwuid(id);
  return user == nullptr ? "user " + std::to_string(id) : user->pw_name;
}

// Why files that this user writes there would not serve the agent, "" they would.
std::string foreign(int directory, const std::string& path) {
  const uid_t user = agents_user(directory, path);
  if (::geteuid() == 0 || ::geteuid() == user) {
    return "";
  }
  return "the agent of " + path + " is run by " + user_name(user) +
         " and could not read a key of this user's: run the command as root" +
         (user == 0 ? "" : " or as " + user_name(user));
}

}  // namespace

void rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    fail(to, "replaced");
  }
}

void write_state_file(const std::string& path, std::string_view content, mode_t mode,
                      const RenameFile& rename) {
  const std::string temporary = path + ".new";
  const std::string directory_path = storage::directory_of(path);
  const Descriptor directory{::open(directory_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (directory.number < 0) {
    fail(directory_path, "opened");
  }
  ::unlink(temporary.c_str());
  {
    const Descriptor file{
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (file.number < 0) {
      fail(temporary, "created");
    }
    give_to_agent(file.number, directory.number, temporary);
    if (::fchmod(file.number, mode) != 0) {
      fail(temporary, "given its mode");
    }
    write_all(file.number, content, temporary);
    sync(file.number, temporary);
  }
  rename(temporary, path);
  sync(directory.number, directory_path);
}

DirectoryLock::DirectoryLock(const std::string& directory)
    : descriptor_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (descriptor_ < 0) {
    fail(directory, "opened");
  }
  const bool busy = ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  const std::string problem = busy ? directory + ": another `invlog ca` is writing there; try again"
                                   : foreign(descriptor_, directory);
  if (!problem.empty()) {
    ::close(descriptor_);
    throw std::runtime_error(problem);
  }
}

DirectoryLock::~DirectoryLock() {
  ::close(descriptor_);
}

}  // namespace invlog::proxy
