// Holds one snapshot for all that is read on a connection. While it is held, a writer's log cannot
// be emptied.
//
// Threads: as the connection. Errors: the constructor throws StoreError.
#pragma once

#include "storage/statement.h"

namespace invlog::storage {

class ReadTransaction {
 public:
  explicit ReadTransaction(sqlite3* connection) : connection_(connection) {
    execute(connection, "BEGIN");
  }
  ~ReadTransaction() { sqlite3_exec(connection_, "ROLLBACK", nullptr, nullptr, nullptr); }
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;

 private:
  sqlite3* connection_;
};

}  // namespace invlog::storage
