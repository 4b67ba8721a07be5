// Whether the file under an open SQLite connection is no longer the one at its path: removed, moved
// away, or replaced. SQLite writes on into it all the same, where nobody reads it.
//
// Threads: as the connection. Errors: none; a VFS that cannot tell says no.
#pragma once

#include "storage/sqlite_api.h"

namespace invlog::storage {

inline bool file_has_moved(sqlite3* connection) {
  int moved = 0;
  return sqlite3_file_control(connection, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
         moved != 0;
}

}  // namespace invlog::storage
