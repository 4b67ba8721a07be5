#include "tests/unit/storage/unsynced_vfs.h"

#include <sqlite3.h>

#include <atomic>
#include <fstream>
#include <map>
#include <mutex>
#include <random>
#include <vector>

namespace invlog::storage {
namespace {

constexpr std::size_t kSector = 512;

struct Change {
  std::uint64_t offset;
  std::string bytes;
  bool truncate;  // to `offset`
};

struct Image {
  std::string synced;
  std::vector<Change> since;
};

struct State {
  std::recursive_mutex mutex;
  std::map<std::string, Image> images;
  std::function<void()> hook;
  std::atomic<int> fault{0};
  sqlite3_vfs* below = nullptr;
  sqlite3_vfs vfs{};
};

State& state() {
  static State state;
  return state;
}

// SQLite allocates szOsFile bytes; the file of the VFS below lies behind this.
struct File {
  sqlite3_file base;
  Image* image;  // null: not a file that is followed
  sqlite3_file* below() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

File* as_file(sqlite3_file* file) {
  return reinterpret_cast<File*>(file);
}
sqlite3_file* below(sqlite3_file* file) {
  return as_file(file)->below();
}

void apply(std::string& bytes, const Change& change) {
  if (change.truncate) {
    bytes.resize(change.offset);
    return;
  }
  if (bytes.size() < change.offset + change.bytes.size()) {
    bytes.resize(change.offset + change.bytes.size());
  }
  bytes.replace(change.offset, change.bytes.size(), change.bytes);
}

void call_hook() {
  if (state().hook) {
    state().hook();
  }
}

int close_file(sqlite3_file* file) {
  return below(file)->pMethods != nullptr ? below(file)->pMethods->xClose(below(file)) : SQLITE_OK;
}

int read_file(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
  return below(file)->pMethods->xRead(below(file), out, size, offset);
}

int write_file(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  if (const int fault = state().fault; fault != 0) {
    return fault;
  }
  const std::lock_guard lock(state().mutex);
  if (Image* image = as_file(file)->image; image != nullptr) {
    call_hook();
    image->since.push_back({static_cast<std::uint64_t>(offset),
                            std::string(static_cast<const char*>(bytes), size), false});
  }
  return below(file)->pMethods->xWrite(below(file), bytes, size, offset);
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  const std::lock_guard lock(state().mutex);
  if (Image* image = as_file(file)->image; image != nullptr) {
    image->since.push_back({static_cast<std::uint64_t>(size), "", true});
  }
  return below(file)->pMethods->xTruncate(below(file), size);
}

int sync_file(sqlite3_file* file, int flags) {
  const std::lock_guard lock(state().mutex);
  if (Image* image = as_file(file)->image; image != nullptr) {
    call_hook();
    for (const Change& change : image->since) {
      apply(image->synced, change);
    }
    image->since.clear();
  }
  return below(file)->pMethods->xSync(below(file), flags);
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return below(file)->pMethods->xFileSize(below(file), size);
}
int lock_file(sqlite3_file* file, int level) {
  return below(file)->pMethods->xLock(below(file), level);
}
int unlock_file(sqlite3_file* file, int level) {
  return below(file)->pMethods->xUnlock(below(file), level);
}
int check_lock(sqlite3_file* file, int* out) {
  return below(file)->pMethods->xCheckReservedLock(below(file), out);
}
int control(sqlite3_file* file, int operation, void* argument) {
  return below(file)->pMethods->xFileControl(below(file), operation, argument);
}
int sector_size(sqlite3_file*) {
  return kSector;
}
int characteristics(sqlite3_file*) {
  return 0;
}
int shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  return below(file)->pMethods->xShmMap(below(file), page, size, extend, out);
}
int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  return below(file)->pMethods->xShmLock(below(file), offset, count, flags);
}
void shm_barrier(sqlite3_file* file) {
  below(file)->pMethods->xShmBarrier(below(file));
}
int shm_unmap(sqlite3_file* file, int remove) {
  return below(file)->pMethods->xShmUnmap(below(file), remove);
}

const sqlite3_io_methods kMethods = {
    2,         close_file,  read_file,  write_file, truncate_file, sync_file,       file_size,
    lock_file, unlock_file, check_lock, control,    sector_size,   characteristics, shm_map,
    shm_lock,  shm_barrier, shm_unmap,  nullptr,    nullptr};

std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  as_file(file)->image = nullptr;
  below(file)->pMethods = nullptr;
  const int result = state().below->xOpen(state().below, name, below(file), flags, out_flags);
  if (result != SQLITE_OK) {
    return result;
  }
  if (name != nullptr && (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) != 0) {
    const std::lock_guard lock(state().mutex);
    const auto [at, fresh] = state().images.try_emplace(name);
    if (fresh) {
      at->second.synced = contents(name);
    }
    as_file(file)->image = &at->second;
  }
  file->pMethods = &kMethods;
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs*, const char* name, int sync_directory) {
  const std::lock_guard lock(state().mutex);
  if (const auto at = state().images.find(name); at != state().images.end()) {
    at->second = {};
  }
  return state().below->xDelete(state().below, name, sync_directory);
}

}  // namespace

UnsyncedVfs& UnsyncedVfs::instance() {
  static UnsyncedVfs vfs;
  return vfs;
}

UnsyncedVfs::UnsyncedVfs() {
  State& shared = state();
  shared.below = sqlite3_vfs_find(nullptr);
  shared.vfs = *shared.below;
  shared.vfs.zName = name();
  shared.vfs.szOsFile = static_cast<int>(sizeof(File)) + shared.below->szOsFile;
  shared.vfs.xOpen = open_file;
  shared.vfs.xDelete = delete_file;
  sqlite3_vfs_register(&shared.vfs, 0);
}

void UnsyncedVfs::clear() {
  const std::lock_guard lock(state().mutex);
  state().images.clear();
  state().hook = {};
  state().fault = 0;
}

void UnsyncedVfs::set_hook(std::function<void()> hook) {
  const std::lock_guard lock(state().mutex);
  state().hook = std::move(hook);
}

void UnsyncedVfs::fail_writes(int code) {
  state().fault = code;
}

std::uint64_t UnsyncedVfs::snapshot(const std::filesystem::path& database,
                                    const std::filesystem::path& target, int survival,
                                    std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uint64_t dropped = 0;
  const std::lock_guard lock(state().mutex);
  for (const char* suffix : {"", "-wal"}) {
    const auto at = state().images.find(database.string() + suffix);
    if (at == state().images.end()) {
      continue;
    }
    std::string bytes = at->second.synced;
    for (const Change& change : at->second.since) {
      if (change.truncate) {
        if (static_cast<int>(random() % 100) < survival) {
          apply(bytes, change);
        }
        continue;
      }
      for (std::size_t part = 0; part < change.bytes.size(); part += kSector) {
        if (static_cast<int>(random() % 100) < survival) {
          apply(bytes, {change.offset + part, change.bytes.substr(part, kSector), false});
        } else {
          ++dropped;
        }
      }
    }
    std::ofstream(target.string() + suffix, std::ios::binary) << bytes;
  }
  return dropped;
}

}  // namespace invlog::storage
