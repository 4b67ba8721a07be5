// What storage throws: one clear line saying what, where and what to do.
#pragma once

#include <stdexcept>
#include <string>

namespace invlog::storage {

class StoreError : public std::runtime_error {
 public:
  // `sqlite_code`: SQLite's primary result code, if it was SQLite that refused.
  explicit StoreError(const std::string& what, int sqlite_code = 0)
      : std::runtime_error(what), sqlite_code_(sqlite_code) {}

  int sqlite_code() const { return sqlite_code_; }

 private:
  int sqlite_code_;
};

}  // namespace invlog::storage
