// Store, when somebody removed its file, or the write-ahead log beside it, while it is open: what
// is open still has everything, and is written out again under its name. A kill meanwhile leaves
// what is not whole yet under one name, which the next start removes, and what is whole under
// another, which it takes; the file itself, if only its log was removed, stays until it is
// replaced.
//
// Without the log's name, what is committed would be lost with the process. Without that of its
// index, others would make a new one, and neither they nor the agent see what the other adds to the
// log. To go on with the file itself would not do: other connections of this process have the
// removed files open, too, and notice only that the store itself was replaced.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "storage/directory_of.h"
#include "storage/file_identity.h"
#include "storage/file_mode.h"
#include "storage/json_writer.h"
#include "storage/moved_file.h"
#include "storage/read_transaction.h"
#include "storage/schema.h"
#include "storage/store.h"
#include "storage/store_error.h"
#include "storage/store_file.h"
#include "storage/write_transaction.h"

namespace invlog::storage {
namespace {

constexpr int kPagesAtOnce = 1024;  // 4 MiB, after which the rest of the agent is told

[[noreturn]] void cannot_restore(const std::string& path, const std::string& why) {
  throw StoreError("store " + path +
                   ": its file or its log was removed, and cannot be written again: " + why);
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

std::string unfinished_copy_path(const std::string& store) {
  return store + ".restoring";
}

bool is_there(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

// With what SQLite leaves beside it.
void remove_copy(const std::string& copy, const std::string& store) {
  for (const char* suffix : {"-journal", "-wal", "-shm", ""}) {
    remove_if_there(copy + suffix, store);
  }
}

void give_up_copy(const std::string& copy) {
  for (const char* suffix : {"-journal", "-wal", "-shm", ""}) {
    ::unlink((copy + suffix).c_str());
  }
}

// Over the store's own file, where that is still there; never over another one that took the name
// meanwhile.
void rename_copy(const std::string& from, const std::string& to, const std::string& store,
                 unsigned flags = RENAME_NOREPLACE) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) != 0) {
    cannot_restore(store, to + ": " + std::strerror(errno));
  }
  const int descriptor = ::open(directory_of(store).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor >= 0) {
    ::fsync(descriptor);
    ::close(descriptor);
  }
}

Connection open_copy(const std::string& copy, const std::string& store) {
  sqlite3* opened = nullptr;
  const int result =
      sqlite3_open_v2(copy.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  Connection connection(opened);
  if (result != SQLITE_OK) {
    cannot_restore(store, sqlite3_errstr(result));
  }
  return connection;
}

// The copy itself says what it is, so that no kill leaves that untold.
void note_restored(sqlite3* copy, std::int64_t now) {
  // Whoever reads it by this name would go on with a log that is nobody's once it has the other. To
  // be alone with it must be asked for before anything is read.
  execute(copy, "PRAGMA locking_mode = EXCLUSIVE");
  execute(copy, "PRAGMA synchronous = FULL");
  WriteTransaction transaction(copy);
  Statement(copy, "INSERT INTO event(at, kind) VALUES (?1, 'file-restored')").bind(1, now).run();
  transaction.commit();
  if (sqlite3_wal_checkpoint_v2(copy, "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr) !=
      SQLITE_OK) {
    throw_sqlite_error(copy, "empty its log");
  }
}

}  // namespace

bool Store::file_is_gone() const {
  return !retention_ || !lock_->is_in_place() || file_has_moved(connection_.get()) || log_is_gone();
}

// Without its name it keeps nobody away.
void Store::hold_lock() {
  if (!lock_->is_in_place() && !lock_->take_again()) {
    throw StoreError("store " + options_.path +
                         ": its lock file was removed, and another invlog agent or `invlog erase` "
                         "has taken a new one; records wait until that has ended",
                     SQLITE_BUSY);
  }
}

// SQLite says only of the store's file itself whether it has moved. It has opened the others by
// now, and removes neither while this connection is open.
void Store::note_log() {
  log_ = identity_at(options_.path + "-wal");
  log_index_ = identity_at(options_.path + "-shm");
}

bool Store::log_is_gone() const {
  return (log_ && has_left(*log_, options_.path + "-wal")) ||
         (log_index_ && has_left(*log_index_, options_.path + "-shm"));
}

// All pages, those in the write-ahead log included.
void Store::copy_to(const std::string& copy) {
  const Connection target = open_copy(copy, options_.path);
  execute(target.get(), "PRAGMA synchronous = FULL");
  // The copy sees one state of the source, however long it takes: what others write meanwhile would
  // have it begin anew.
  const ReadTransaction state(connection_.get());
  single_integer(connection_.get(), "SELECT count(*) FROM sqlite_schema");
  std::unique_ptr<sqlite3_backup, FinishBackup> backup(
      sqlite3_backup_init(target.get(), "main", connection_.get(), "main"));
  if (!backup) {
    cannot_restore(options_.path, sqlite3_errmsg(target.get()));
  }
  int copied = SQLITE_OK;
  while (copied == SQLITE_OK) {
    copied = sqlite3_backup_step(backup.get(), kPagesAtOnce);
    if (told_) {
      told_("its file or its log was removed, and it is being written again: " +
            std::to_string(percent(backup.get())) + " %");
    }
  }
  const int finished = sqlite3_backup_finish(backup.release());
  if (copied != SQLITE_DONE || finished != SQLITE_OK) {
    throw StoreError("store " + options_.path +
                         ": its file or its log was removed, and writing it again failed: " +
                         sqlite3_errstr(copied != SQLITE_DONE ? copied : finished),
                     copied & 0xff);
  }
}

// A whole copy becomes the store.
void Store::take_copy(const std::string& copy) {
  note_restored(open_copy(copy, options_.path).get(), options_.clock());
  for (const std::string& left :
       {copy + "-journal", copy + "-wal", copy + "-shm",
        // Of the removed file; the new one must not take them for its own.
        options_.path + "-wal", options_.path + "-shm"}) {
    remove_if_there(left, options_.path);
  }
  const bool is_own = connection_ && !file_has_moved(connection_.get());
  rename_copy(copy, options_.path, options_.path, is_own ? 0 : RENAME_NOREPLACE);
}

void Store::restore_file() {
  if (!retention_) {  // an earlier attempt wrote the file, but could not open it
    reopen();
    return;
  }
  hold_lock();
  const bool file_is_there = !file_has_moved(connection_.get());
  if (file_is_there && !log_is_gone()) {
    return;
  }
  if (file_is_there) {
    // So that a kill meanwhile costs nothing; as far as nobody reads what was before.
    sqlite3_wal_checkpoint_v2(connection_.get(), "main", SQLITE_CHECKPOINT_PASSIVE, nullptr,
                              nullptr);
  } else if (is_there(options_.path)) {
    throw StoreError("store " + options_.path +
                     ": another file has taken its place while the agent runs; records wait. Put "
                     "the agent's own file back, or move that one away, or restart the agent to go "
                     "on with it");
  }
  std::string copy = unfinished_copy_path(options_.path);
  remove_copy(copy, options_.path);
  const int created =
      ::open(copy.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, private_file_mode(options_.path));
  if (created < 0) {
    cannot_restore(options_.path, std::strerror(errno));
  }
  ::close(created);
  try {
    copy_to(copy);
    // Killed from here on, the next start takes it; unless an older one has that name, which stays.
    if (const std::string whole = whole_copy_path(options_.path);
        !file_is_there && !is_there(whole)) {
      rename_copy(copy, whole, options_.path);
      copy = whole;
    }
    take_copy(copy);
  } catch (const StoreError&) {
    give_up_copy(copy);  // the open file may have more by the next attempt
    throw;
  }
  reopen();
}

// What a kill left while a removed file was written again. Before anything has the store's name.
void Store::take_left_copy() {
  if (const std::string unfinished = unfinished_copy_path(options_.path); is_there(unfinished)) {
    remove_copy(unfinished, options_.path);
  }
  const std::string copy = whole_copy_path(options_.path);
  if (!is_there(copy) || is_there(options_.path)) {
    return;
  }
  try {
    // An older invlog gave it this name before it was whole. What it had of it is no store, and
    // SQLite takes that back.
    const bool empty = single_integer(open_copy(copy, options_.path).get(),
                                      "SELECT count(*) FROM sqlite_schema") == 0;
    if (empty) {
      remove_copy(copy, options_.path);
    } else {
      take_copy(copy);
    }
  } catch (const StoreError& error) {
    throw StoreError("store " + options_.path + ": " + copy +
                         " is what a removed file of it was, and cannot become the store (" +
                         error.what() +
                         "); end what has it open, or move it away to begin with an empty one",
                     error.sqlite_code());
  }
}

// Nobody can tell which of the two is to be kept, and erasures and limits do not reach the copy.
void Store::tell_left_copy() {
  struct stat copy {};
  const std::string path = whole_copy_path(options_.path);
  if (::stat(path.c_str(), &copy) != 0) {
    return;
  }
  std::string details = "{";
  append_json_member(details, "file", path.substr(directory_of(path).size()));
  append_json_number(details, "bytes", copy.st_size);
  details += '}';
  Statement told(connection_.get(),
                 "SELECT 1 FROM event WHERE kind = 'copy-left' AND details = ?1");
  if (!told.bind_text(1, details).step()) {
    add_event("copy-left", std::nullopt, details);
  }
}

}  // namespace invlog::storage
