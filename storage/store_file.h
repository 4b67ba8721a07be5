// What everything that opens a store's file asks of it first, whether to read or to write.
//
// Threads: as the connection. Errors: results; a problem is one clear line for a person without the
// file's name.
#pragma once

#include <memory>
#include <string>

#include "storage/sqlite_api.h"

namespace invlog::storage {

struct CloseConnection {
  void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
};
using Connection = std::unique_ptr<sqlite3, CloseConnection>;

// The one name of the store that `path` leads to. Whatever stands beside a store (its lock files,
// the write-ahead log, a copy) is named after this, as SQLite does it, so that two who come by
// different links meet: absolute, without links, through a dangling one to where the file would be.
// `path` itself if it leads nowhere.
std::string resolved_store_path(const std::string& path);

// SQLite's name for a store that nobody writes, for whoever cannot write its directory either: no
// log is looked for, and no lock is taken.
std::string unwritten_store_uri(const std::string& path);
// Of a connection by that name, or any other. False: whoever writes the store has begun to, and
// what is newer is in the log. Never false of a connection by another name.
bool sees_what_is_newest(sqlite3* connection);
// Throws StoreError (SQLITE_BUSY) if the file itself was changed since: then pages from before and
// after were read, and what they say together is nothing.
void check_unwritten(sqlite3* connection);

// "" if the file at `path` has one name. Whoever comes by another one (a hard link) meets neither
// its lock files nor its log, and would damage it.
std::string other_names_problem(const std::string& path);

// The copy that the writer of the store at `store_path` makes where somebody removed its file, once
// it is whole. It takes the store's name at once, or with the next start if that was killed before.
std::string whole_copy_path(const std::string& store_path);

// "" if there is a regular file at `path`, else why it cannot be looked at.
std::string missing_file_problem(const std::string& path);

// "" if the connection is on an invlog store of a format that this invlog knows. `cannot_open`: the
// file system did not let SQLite have what it needs.
std::string store_problem(sqlite3* connection, bool& cannot_open);
// The problem, and the cause if the disk refuses what is written beside the store at `path`.
std::string with_disk_refusal(std::string problem, const std::string& path);

}  // namespace invlog::storage
