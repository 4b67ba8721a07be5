// A prepared SQLite statement that cleans up after itself, and the one way in which storage turns
// SQLite's result codes into StoreError.
//
// Threads: as its connection. Ownership: must be destroyed before the connection is closed; text
// and blobs given to bind() must live until reset(). Errors: every function throws StoreError with
// SQLite's message.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/sqlite_api.h"

namespace invlog::storage {

// Throws StoreError saying what was tried and why SQLite refused.
[[noreturn]] void throw_sqlite_error(sqlite3* connection, std::string_view action);

// Runs statements that return nothing of interest.
void execute(sqlite3* connection, const std::string& sql);
// The first column of the first row; 0 for no row and for NULL.
std::int64_t single_integer(sqlite3* connection, std::string_view sql);

class Statement {
 public:
  Statement(sqlite3* connection, std::string_view sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Parameters count from 1.
  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, std::optional<std::int64_t> value);
  Statement& bind_text(int index, std::string_view text);
  Statement& bind_text_or_null(int index, std::string_view text);  // "" becomes NULL
  Statement& bind_blob(int index, std::string_view bytes);
  Statement& bind_null(int index);

  // True: a row is there. False: finished.
  bool step();
  // Steps to the end and resets, for statements that return no rows.
  void run();
  // Makes it ready to be bound and run again. Never throws: a failed step() has already said so.
  void reset() noexcept;

  // Columns count from 0; text and blobs live until the next step() or reset().
  std::int64_t integer(int column) const;
  std::optional<std::int64_t> optional_integer(int column) const;
  std::string_view bytes(int column) const;  // of text or blob; "" for NULL
  bool is_null(int column) const;
  bool is_blob(int column) const;
  int columns() const;
  sqlite3_stmt* raw() const { return statement_; }

 private:
  sqlite3* connection_;
  sqlite3_stmt* statement_ = nullptr;
};

}  // namespace invlog::storage
