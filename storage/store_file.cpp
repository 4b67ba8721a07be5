#include "storage/store_file.h"

#include <sys/stat.h>

#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "storage/directory_of.h"
#include "storage/disk_refusal.h"
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

std::string percent_encoded(const std::string& path) {
  std::string encoded;
  for (const char character : path) {
    if (character == '?' || character == '#' || character == '%') {
      char code[4];
      snprintf(code, sizeof(code), "%%%02X", static_cast<unsigned>(character));
      encoded += code;
    } else {
      encoded.push_back(character);
    }
  }
  return encoded;
}

// Names in the URI, which SQLite does not know and keeps.
constexpr const char* kModified = "invlog-modified";
constexpr const char* kSize = "invlog-size";
constexpr const char* kInode = "invlog-inode";

std::int64_t modified_ns(const struct stat& status) {
  constexpr std::int64_t kNanoseconds = 1'000'000'000;
  return status.st_mtim.tv_sec * kNanoseconds + status.st_mtim.tv_nsec;
}

// On a full disk the shared memory that SQLite needs of a store without a writer cannot be made.
bool is_file_systems(int extended_code) {
  const int code = extended_code & 0xff;
  return code == SQLITE_CANTOPEN || code == SQLITE_READONLY || code == SQLITE_FULL ||
         extended_code == SQLITE_IOERR_SHMSIZE || extended_code == SQLITE_IOERR_WRITE;
}

bool is_unwritten(sqlite3* connection) {
  const char* const file = sqlite3_db_filename(connection, "main");
  return file != nullptr && sqlite3_uri_boolean(file, "immutable", 0) != 0;
}

// Of unwritten_store_uri()'s only: who says by himself that nobody writes the file answers for it.
bool was_changed(sqlite3* connection) {
  const char* const file = sqlite3_db_filename(connection, "main");
  struct stat status {};
  if (sqlite3_uri_parameter(file, kModified) == nullptr) {
    return false;
  }
  return ::stat(file, &status) != 0 ||
         sqlite3_uri_int64(file, kModified, 0) != modified_ns(status) ||
         sqlite3_uri_int64(file, kSize, 0) != status.st_size ||
         sqlite3_uri_int64(file, kInode, 0) != static_cast<std::int64_t>(status.st_ino);
}

}  // namespace

std::string unwritten_store_uri(const std::string& path) {
  struct stat status {};
  ::stat(path.c_str(), &status);
  return "file:" + percent_encoded(path) + "?immutable=1&" + kModified + "=" +
         std::to_string(modified_ns(status)) + "&" + kSize + "=" + std::to_string(status.st_size) +
         "&" + kInode + "=" + std::to_string(static_cast<std::int64_t>(status.st_ino));
}

bool sees_what_is_newest(sqlite3* connection) {
  if (!is_unwritten(connection)) {
    return true;
  }
  struct stat log {};
  const std::string file = sqlite3_db_filename(connection, "main");
  return !was_changed(connection) &&
         (::stat((file + "-wal").c_str(), &log) != 0 || log.st_size == 0);
}

void check_unwritten(sqlite3* connection) {
  if (is_unwritten(connection) && was_changed(connection)) {
    throw StoreError("store " + std::string(sqlite3_db_filename(connection, "main")) +
                         ": an agent began to write it, which nobody did before, while it was read "
                         "by a user who may not write its directory; begin again",
                     SQLITE_BUSY);
  }
}

std::string other_names_problem(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || status.st_nlink <= 1) {
    return "";
  }
  return "the file has " + std::to_string(status.st_nlink) +
         " names (hard links), and who comes by another one meets neither its lock files nor its "
         "log, and would damage it; remove all but one";
}

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

std::string whole_copy_path(const std::string& store_path) {
  return store_path + ".restored";
}

std::string missing_file_problem(const std::string& path) {
  struct stat status {};
  const bool there = ::stat(path.c_str(), &status) == 0;
  if (there && S_ISREG(status.st_mode)) {
    return "";
  }
  const int error = errno;
  const std::string copy = whole_copy_path(path);
  if (!there && error == ENOENT && ::stat(copy.c_str(), &status) == 0) {
    return "its file was removed while its agent ran, and what was in it is in " + copy +
           ": `invlog agent` gives that the store's name when it starts, and --store " + copy +
           " reads it until then";
  }
  // To open a FIFO would wait for somebody to write to it.
  return std::string(there ? "it is no regular file" : std::strerror(error)) +
         "; name a store with --store FILE or --state-dir DIR";
}

std::string with_disk_refusal(std::string problem, const std::string& path) {
  const std::string refusal = disk_refusal(directory_of(path));
  return refusal.empty() ? problem : problem + " (" + refusal + ")";
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
  } catch (const StoreError&) {
    cannot_open = is_file_systems(sqlite3_extended_errcode(connection));
    return std::string("cannot read it: ") + sqlite3_errmsg(connection);
  }
}

}  // namespace invlog::storage
