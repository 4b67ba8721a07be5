// What everything that opens a store's file asks of it first, whether to read or to write.
//
// Threads: as the connection. Errors: results; a problem is one clear line for a person without the
// file's name.
#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "storage/sqlite_api.h"

namespace invlog::storage {

struct CloseConnection {
  void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
};
using Connection = std::unique_ptr<sqlite3, CloseConnection>;

// "" if there is a file at `path`, else why it cannot be looked at.
std::string missing_file_problem(const std::string& path);

// "" if the connection is on an invlog store of a format that this invlog knows. `cannot_open`: the
// file system did not let SQLite have what it needs.
std::string store_problem(sqlite3* connection, bool& cannot_open);

// A connection that writes to a store that is there, beside its agent: it waits for others as long
// as a delivery may, and leaves nothing of what it deletes in the file. `vfs`: SQLite VFS by name,
// "" the default. `purpose`: what it must write for, as "delivery keeps its cursor there".
tl::expected<Connection, std::string> open_to_write(const std::string& path, const std::string& vfs,
                                                    const std::string& purpose);

}  // namespace invlog::storage
