// Store, when somebody removed its file while it is open: the open file still has everything, and
// is written out again under its name.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "storage/moved_file.h"
#include "storage/schema.h"
#include "storage/store.h"
#include "storage/store_error.h"

namespace invlog::storage {
namespace {

constexpr mode_t kStoreMode = S_IRUSR | S_IWUSR;

[[noreturn]] void cannot_restore(const std::string& path, const std::string& why) {
  throw StoreError("store " + path + ": its file was removed, and cannot be written again: " + why);
}

void remove_if_there(const std::string& path, const std::string& store) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    cannot_restore(store, path + ": " + std::strerror(errno));
  }
}

// All pages, those in the write-ahead log included.
void copy_database(sqlite3* from, const std::string& to, const std::string& store) {
  sqlite3* opened = nullptr;
  const int result =
      sqlite3_open_v2(to.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  const Connection target(opened);
  if (result != SQLITE_OK) {
    cannot_restore(store, sqlite3_errstr(result));
  }
  execute(opened, "PRAGMA synchronous = FULL");
  sqlite3_backup* const backup = sqlite3_backup_init(opened, "main", from, "main");
  if (backup == nullptr) {
    cannot_restore(store, sqlite3_errmsg(opened));
  }
  const int copied = sqlite3_backup_step(backup, -1);
  const int finished = sqlite3_backup_finish(backup);
  if (copied != SQLITE_DONE || finished != SQLITE_OK) {
    throw StoreError("store " + store + ": its file was removed, and writing it again failed: " +
                         sqlite3_errstr(copied != SQLITE_DONE ? copied : finished),
                     copied & 0xff);
  }
}

// Never over another file that took the name meanwhile.
void take_name(const std::string& copy, const std::string& store) {
  if (::renameat2(AT_FDCWD, copy.c_str(), AT_FDCWD, store.c_str(), RENAME_NOREPLACE) != 0) {
    cannot_restore(store, std::strerror(errno));
  }
}

}  // namespace

void Store::restore_if_removed() {
  if (!retention_) {  // an earlier attempt wrote the file, but could not open it
    reopen();
    add_event("file-restored", std::nullopt, "");
    return;
  }
  if (!file_has_moved(connection_.get())) {
    return;
  }
  struct stat other {};
  if (::stat(options_.path.c_str(), &other) == 0) {
    throw StoreError("store " + options_.path +
                     ": another file has taken its place while the agent runs; records wait. Put "
                     "the agent's own file back, or move that one away, or restart the agent to go "
                     "on with it");
  }
  const std::string copy = options_.path + ".restored";
  remove_if_there(copy, options_.path);
  const int created = ::open(copy.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kStoreMode);
  if (created < 0) {
    cannot_restore(options_.path, std::strerror(errno));
  }
  ::close(created);
  try {
    copy_database(connection_.get(), copy, options_.path);
    // Of the removed file; the new one must not take them for its own.
    remove_if_there(options_.path + "-wal", options_.path);
    remove_if_there(options_.path + "-shm", options_.path);
    take_name(copy, options_.path);
  } catch (const StoreError&) {
    ::unlink(copy.c_str());
    throw;
  }
  reopen();
  add_event("file-restored", std::nullopt, "");
}

}  // namespace invlog::storage
