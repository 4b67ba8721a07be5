// Store, when somebody removed its file while it is open: the open file still has everything, and
// is written out again under its name.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "storage/directory_of.h"
#include "storage/file_mode.h"
#include "storage/moved_file.h"
#include "storage/read_transaction.h"
#include "storage/schema.h"
#include "storage/store.h"
#include "storage/store_error.h"

namespace invlog::storage {
namespace {

constexpr int kPagesAtOnce = 1024;  // 4 MiB, after which the rest of the agent is told

[[noreturn]] void cannot_restore(const std::string& path, const std::string& why) {
  throw StoreError("store " + path + ": its file was removed, and cannot be written again: " + why);
}

void remove_if_there(const std::string& path, const std::string& store) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    cannot_restore(store, path + ": " + std::strerror(errno));
  }
}

struct FinishBackup {
  void operator()(sqlite3_backup* backup) const { sqlite3_backup_finish(backup); }
};

int percent(sqlite3_backup* backup) {
  const int total = sqlite3_backup_pagecount(backup);
  return total == 0 ? 0 : 100 - static_cast<int>(100LL * sqlite3_backup_remaining(backup) / total);
}

// Never over another file that took the name meanwhile.
void take_name(const std::string& copy, const std::string& store) {
  if (::renameat2(AT_FDCWD, copy.c_str(), AT_FDCWD, store.c_str(), RENAME_NOREPLACE) != 0) {
    cannot_restore(store, std::strerror(errno));
  }
  const int descriptor = ::open(directory_of(store).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor >= 0) {
    ::fsync(descriptor);
    ::close(descriptor);
  }
}

}  // namespace

bool Store::file_is_gone() const {
  return !retention_ || file_has_moved(connection_.get());
}

// All pages, those in the write-ahead log included.
void Store::copy_to(const std::string& copy) {
  sqlite3* opened = nullptr;
  const int result =
      sqlite3_open_v2(copy.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  const Connection target(opened);
  if (result != SQLITE_OK) {
    cannot_restore(options_.path, sqlite3_errstr(result));
  }
  execute(opened, "PRAGMA synchronous = FULL");
  // The copy sees one state of the source, however long it takes: what others write meanwhile would
  // have it begin anew.
  const ReadTransaction state(connection_.get());
  single_integer(connection_.get(), "SELECT count(*) FROM sqlite_schema");
  std::unique_ptr<sqlite3_backup, FinishBackup> backup(
      sqlite3_backup_init(opened, "main", connection_.get(), "main"));
  if (!backup) {
    cannot_restore(options_.path, sqlite3_errmsg(opened));
  }
  int copied = SQLITE_OK;
  while (copied == SQLITE_OK) {
    copied = sqlite3_backup_step(backup.get(), kPagesAtOnce);
    if (told_) {
      told_("its file was removed and is being written again: " +
            std::to_string(percent(backup.get())) + " %");
    }
  }
  const int finished = sqlite3_backup_finish(backup.release());
  if (copied != SQLITE_DONE || finished != SQLITE_OK) {
    throw StoreError("store " + options_.path +
                         ": its file was removed, and writing it again failed: " +
                         sqlite3_errstr(copied != SQLITE_DONE ? copied : finished),
                     copied & 0xff);
  }
}

void Store::restore_file() {
  restore_if_removed();
  if (!events_.empty() && rows_.empty()) {
    commit();
  }
}

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
  const int created =
      ::open(copy.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, private_file_mode(options_.path));
  if (created < 0) {
    cannot_restore(options_.path, std::strerror(errno));
  }
  ::close(created);
  try {
    copy_to(copy);
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
