#include "agent/cli/output_file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "agent/cli/display_text.h"
#include "storage/directory_of.h"
#include "storage/store_file.h"

namespace invlog::cli {
namespace {

// What stands beside a store under its name: SQLite's files, and the locks of those who write it.
constexpr std::array kStoreSuffixes = {"", "-wal", "-shm", "-journal", "-lock", "-erase", "-close"};

constexpr std::array kEndingSignals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGXFSZ};

// The temporary file that a signal which ends the process removes. In a handler, as nothing more
// than unlink() is to be done, and the process then ends by the signal, as whoever sent it expects.
std::atomic<const char*> file_to_remove{nullptr};

void remove_and_end(int signal) {
  if (const char* path = file_to_remove.exchange(nullptr)) {
    ::unlink(path);
  }
  ::raise(signal);  // its default action, as the handler was for once
}

// Signals that are ignored (nohup) or taken by somebody stay as they are.
void remove_on_signals(const char* path) {
  file_to_remove = path;
  for (const int signal : kEndingSignals) {
    struct sigaction before {};
    if (::sigaction(signal, nullptr, &before) == 0 && before.sa_handler == SIG_DFL) {
      struct sigaction removing {};
      removing.sa_handler = remove_and_end;
      removing.sa_flags = SA_RESETHAND;
      ::sigaction(signal, &removing, nullptr);
    }
  }
}

void keep_on_signals() {
  file_to_remove = nullptr;
  for (const int signal : kEndingSignals) {
    struct sigaction now {};
    if (::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == remove_and_end) {
      ::signal(signal, SIG_DFL);
    }
  }
}

bool is_same_file(const std::string& left, const std::string& right) {
  struct stat one {
  }, other{};
  return ::stat(left.c_str(), &one) == 0 && ::stat(right.c_str(), &other) == 0 &&
         one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

// What `path` leads to over symbolic links; it need not exist. "": they lead in a circle.
std::string followed(std::string path) {
  constexpr int kMostLinks = 40;  // as Linux
  for (int links = 0; links <= kMostLinks; ++links) {
    std::error_code none;
    const std::filesystem::path next = std::filesystem::read_symlink(path, none);
    if (none) {
      return path;
    }
    path = (std::filesystem::path(path).parent_path() / next).string();
  }
  return "";
}

}  // namespace

OutputFile::OutputFile(std::string path, mode_t mode, bool unnamed) : path_(std::move(path)) {
  if (open_special()) {
    return;
  }
  target_ = followed(path_);
  if (target_.empty()) {
    errno = path_.empty() ? ENOENT : ELOOP;
    fail("create");
  }
  if (!unnamed || !open_unnamed(mode)) {
    open_named();
  }
  ::fchmod(descriptor_, mode);  // where it is refused, 0600 or less stays
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
    remove_temporary();
  }
}

bool OutputFile::is_standard_output(std::string_view path) {
  return path == "-" || path == "/dev/stdout" || path == "/dev/fd/1";
}

std::string OutputFile::refusal(const std::string& path, const std::string& store_path) {
  const std::string store = storage::resolved_store_path(store_path);
  const std::string target = storage::resolved_store_path(path);
  for (const char* suffix : kStoreSuffixes) {
    const std::string own = store + suffix;
    // By name, too: SQLite would take what is put where there is no log for one.
    if (target == own || is_same_file(path, own)) {
      return "--output: " + printable(path) + " is the store's own file " + printable(own) +
             "; name another";
    }
  }
  return "";
}

// False: there is nothing yet, or a regular file.
bool OutputFile::open_special() {
  struct stat existing {};
  if (::stat(path_.c_str(), &existing) != 0) {
    if (errno != ENOENT) {
      fail("create");
    }
    return false;
  }
  if (S_ISREG(existing.st_mode)) {
    return false;
  }
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (descriptor_ < 0) {
    fail("write");
  }
  return true;
}

// False: the file system has none, or there is no /proc by which it could get its name.
bool OutputFile::open_unnamed(mode_t mode) {
  descriptor_ =
      ::open(storage::directory_of(target_).c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, mode & 0600);
  if (descriptor_ < 0) {
    return false;
  }
  if (::access(("/proc/self/fd/" + std::to_string(descriptor_)).c_str(), F_OK) != 0) {
    ::close(descriptor_);
    descriptor_ = -1;
  }
  return descriptor_ >= 0;
}

void OutputFile::open_named() {
  temporary_path_ = target_ + ".XXXXXX";
  // From before it exists, so that no signal comes in between; nothing has the name with the X.
  remove_on_signals(temporary_path_.c_str());
  descriptor_ = ::mkostemp(temporary_path_.data(), O_CLOEXEC);
  if (descriptor_ < 0) {
    const int cause = errno;
    keep_on_signals();
    errno = cause;
    fail("create");
  }
}

// A file without a name can get one, but not another's: so a temporary one first.
void OutputFile::give_name() {
  const std::string unnamed = "/proc/self/fd/" + std::to_string(descriptor_);
  for (int attempt = 0;; ++attempt) {
    temporary_path_ = storage::directory_of(target_) + ".invlog-" + std::to_string(::getpid()) +
                      "-" + std::to_string(attempt);
    if (::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, temporary_path_.c_str(), AT_SYMLINK_FOLLOW) ==
        0) {
      remove_on_signals(temporary_path_.c_str());
      return;
    }
    if (errno != EEXIST) {
      temporary_path_.clear();
      fail("create");
    }
  }
}

void OutputFile::remove_temporary() {
  if (!temporary_path_.empty()) {
    ::unlink(temporary_path_.c_str());
    keep_on_signals();
  }
}

void OutputFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) {
      fail("write");
    }
    bytes.remove_prefix(static_cast<std::size_t>(written > 0 ? written : 0));
  }
}

void OutputFile::commit() {
  // EINVAL, ENOTSUP: what cannot be synced, such as a FIFO.
  if (::fsync(descriptor_) != 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS) {
    fail("sync");
  }
  if (!target_.empty()) {
    if (temporary_path_.empty()) {
      give_name();
    }
    if (::rename(temporary_path_.c_str(), target_.c_str()) != 0) {
      fail("rename");
    }
    temporary_path_.clear();
    keep_on_signals();
  }
  ::close(descriptor_);
  descriptor_ = -1;
}

void OutputFile::fail(const char* action) const {
  throw std::runtime_error(std::string("cannot ") + action + " " + path_ + ": " +
                           std::strerror(errno));
}

}  // namespace invlog::cli
