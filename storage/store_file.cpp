#include "storage/store_file.h"

#include <sys/stat.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "storage/directory_of.h"
#include "storage/schema.h"
#include "storage/statement.h"
#include "storage/store_error.h"

namespace invlog::storage {
namespace {

constexpr int kMostLinks = 40;  // as the kernel follows them

// "" if there is nothing at `path`.
std::string real_path(const std::string& path) {
  char found[PATH_MAX];
  return ::realpath(path.c_str(), found) != nullptr ? found : "";
}

}  // namespace

std::string resolved_store_path(const std::string& path) {
  std::string current = path;
  for (int links = 0; links < kMostLinks && !current.empty(); ++links) {
    if (std::string found = real_path(current); !found.empty()) {
      return found;
    }
    const std::filesystem::path directory = real_path(directory_of(current));
    if (directory.empty()) {
      return path;
    }
    const std::filesystem::path file = directory / std::filesystem::path(current).filename();
    std::error_code no_link;
    const std::filesystem::path target = std::filesystem::read_symlink(file, no_link);
    if (no_link) {
      return file;
    }
    current = directory / target;  // which is `target` alone if that is absolute
  }
  return path;
}

std::string missing_file_problem(const std::string& path) {
  struct stat status {};
  const bool there = ::stat(path.c_str(), &status) == 0;
  if (there && S_ISREG(status.st_mode)) {
    return "";
  }
  // To open a FIFO would wait for somebody to write to it.
  return std::string(there ? "it is no regular file" : std::strerror(errno)) +
         "; name a store with --store FILE or --state-dir DIR";
}

std::string store_problem(sqlite3* connection, bool& cannot_open) {
  cannot_open = false;
  try {
    if (single_integer(connection, "PRAGMA application_id") != kApplicationId) {
      return "it is not an invlog store; name the <region>.db that `invlog agent` writes";
    }
    const std::int64_t version = single_integer(connection, "PRAGMA user_version");
    if (version != kFormatVersion) {
      return "its format is version " + std::to_string(version) + ", this invlog knows " +
             std::to_string(kFormatVersion) + "; use the invlog that wrote it, or a newer one";
    }
    return single_integer(connection, "SELECT count(*) FROM store") == 1
               ? ""
               : "its `store` row is missing; restore the file from a backup";
  } catch (const StoreError& error) {
    const int code = error.sqlite_code();
    cannot_open = code == SQLITE_CANTOPEN || code == SQLITE_READONLY;
    return std::string("cannot read it: ") + sqlite3_errmsg(connection);
  }
}

}  // namespace invlog::storage
