#include "agent/cli/output_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace invlog::cli {

OutputFile::OutputFile(std::string path, mode_t mode)
    : path_(std::move(path)), temporary_path_(path_ + ".XXXXXX") {
  descriptor_ = ::mkostemp(temporary_path_.data(), O_CLOEXEC);
  if (descriptor_ < 0) {
    fail("create");
  }
  ::fchmod(descriptor_, mode);  // where it is refused, mkostemp's 0600 stays
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
    ::unlink(temporary_path_.c_str());
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
  if (::fsync(descriptor_) != 0 && errno != EINVAL) {
    fail("sync");
  }
  if (::rename(temporary_path_.c_str(), path_.c_str()) != 0) {
    fail("rename");
  }
  ::close(descriptor_);
  descriptor_ = -1;
}

void OutputFile::fail(const char* action) const {
  throw std::runtime_error(std::string("cannot ") + action + " " + path_ + ": " +
                           std::strerror(errno));
}

}  // namespace invlog::cli
