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

// Most that a label holds, whatever it came from: labels are not compressed, stand in an index too,
// and stay as long as the store.
inline constexpr std::size_t kMostLabelBytes = 64 * 1024;

// The first `most` bytes of `text`, less what would be a part of a character.
std::string_view cut_label(std::string_view text, std::size_t most);

// The writer's side: string to number. Knows the most recent strings by heart, at most 256 KiB of
// them.
class LabelWriter {
 public:
  explicit LabelWriter(sqlite3* connection);

  // The label's id, a new one if need be; empty for "". What is over kMostLabelBytes is cut. Call
  // inside a transaction.
  std::optional<std::int64_t> intern(std::string_view text);
  // Whether intern() would look the text up, and may make a label of it.
  bool may_be_new(std::string_view text) const;
  // The transaction was rolled back: ids given out in it mean nothing.
  void forget();

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  Statement find_, insert_;
  sqlite3* connection_;
  // The last id that the segments know of: where the newest labels were lost, no other text gets an
  // id that records have.
  std::int64_t given_;
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
