// One write transaction: takes SQLite's write lock at once (waiting as long as the connection's
// busy timeout), and is rolled back unless commit() succeeds.
//
// Threads: as the connection. Errors: the constructor and commit() throw StoreError.
#pragma once

#include "storage/statement.h"

namespace invlog::storage {

class WriteTransaction {
 public:
  explicit WriteTransaction(sqlite3* connection) : connection_(connection) {
    execute(connection_, "BEGIN IMMEDIATE");
  }
  ~WriteTransaction() {
    // SQLite has rolled back by itself after some errors (disk full).
    if (!committed_ && sqlite3_get_autocommit(connection_) == 0) {
      sqlite3_exec(connection_, "ROLLBACK", nullptr, nullptr, nullptr);
    }
  }
  WriteTransaction(const WriteTransaction&) = delete;
  WriteTransaction& operator=(const WriteTransaction&) = delete;

  void commit() {
    execute(connection_, "COMMIT");
    committed_ = true;
  }

 private:
  sqlite3* connection_;
  bool committed_ = false;
};

}  // namespace invlog::storage
