// Strings that repeat from record to record (model, operation, caller, ...) and the small numbers
// that rows hold instead.
//
// Threads: one each. Ownership: the connection must outlive them. Errors: StoreError as from any
// statement.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "storage/statement.h"

namespace invlog::storage {

// The writer's side: string to number. Knows the most recent strings by heart, at most 256 KiB of
// them.
class LabelWriter {
 public:
  explicit LabelWriter(sqlite3* connection);

  // The label's id, a new one if need be; empty for "". Call inside a transaction.
  std::optional<std::int64_t> intern(std::string_view text);
  // The transaction was rolled back: ids given out in it mean nothing.
  void forget();

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  Statement find_, insert_;
  sqlite3* connection_;
  std::unordered_map<std::string, std::int64_t, Hash, std::equal_to<>> known_;
  std::size_t known_bytes_ = 0;
};

// The reader's side: number to string. Knows the most recent ones by heart, at most 1 MiB of them.
class LabelReader {
 public:
  explicit LabelReader(sqlite3* connection);

  // "" for no id; lives until the next call. Throws StoreError if there is no such label.
  const std::string& text(std::optional<std::int64_t> id);
  // Gives all memory back.
  void clear();

 private:
  sqlite3* connection_;
  std::unordered_map<std::int64_t, std::string> known_;
  std::size_t known_bytes_ = 0;
};

}  // namespace invlog::storage
