#include "storage/statement.h"

#include "storage/store_error.h"
#include "storage/store_file.h"

namespace invlog::storage {

void throw_sqlite_error(sqlite3* connection, std::string_view action) {
  check_unwritten(connection);
  const char* file = sqlite3_db_filename(connection, "main");
  throw StoreError("store " + std::string(file != nullptr ? file : "?") + ": " +
                       std::string(action) + ": " + sqlite3_errmsg(connection) + " (SQLite error " +
                       std::to_string(sqlite3_extended_errcode(connection)) + ")",
                   sqlite3_extended_errcode(connection) & 0xff);
}

void execute(sqlite3* connection, const std::string& sql) {
  if (sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    throw_sqlite_error(connection, sql.substr(0, sql.find('\n')));
  }
}

std::int64_t single_integer(sqlite3* connection, std::string_view sql) {
  Statement select(connection, sql);
  return select.step() ? select.integer(0) : 0;
}

Statement::Statement(sqlite3* connection, std::string_view sql) : connection_(connection) {
  if (sqlite3_prepare_v2(connection, sql.data(), static_cast<int>(sql.size()), &statement_,
                         nullptr) != SQLITE_OK) {
    throw_sqlite_error(connection, sql);
  }
}

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

Statement& Statement::bind(int index, std::int64_t value) {
  sqlite3_bind_int64(statement_, index, value);
  return *this;
}

Statement& Statement::bind(int index, std::optional<std::int64_t> value) {
  return value ? bind(index, *value) : bind_null(index);
}

Statement& Statement::bind_text(int index, std::string_view text) {
  const char* start = text.data() != nullptr ? text.data() : "";
  if (sqlite3_bind_text64(statement_, index, start, text.size(), SQLITE_STATIC, SQLITE_UTF8) !=
      SQLITE_OK) {
    throw_sqlite_error(connection_, "bind text");
  }
  return *this;
}

Statement& Statement::bind_text_or_null(int index, std::string_view text) {
  return text.empty() ? bind_null(index) : bind_text(index, text);
}

Statement& Statement::bind_blob(int index, std::string_view bytes) {
  const char* start = bytes.data() != nullptr ? bytes.data() : "";
  if (sqlite3_bind_blob64(statement_, index, start, bytes.size(), SQLITE_STATIC) != SQLITE_OK) {
    throw_sqlite_error(connection_, "bind blob");
  }
  return *this;
}

Statement& Statement::bind_null(int index) {
  sqlite3_bind_null(statement_, index);
  return *this;
}

bool Statement::step() {
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) {
    return true;
  }
  if (result == SQLITE_DONE) {
    return false;
  }
  const std::string_view sql = sqlite3_sql(statement_);
  throw_sqlite_error(connection_, sql.substr(0, 60));
}

void Statement::run() {
  try {
    while (step()) {
    }
  } catch (...) {
    reset();
    throw;
  }
  reset();
}

void Statement::reset() noexcept {
  sqlite3_reset(statement_);
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::optional<std::int64_t> Statement::optional_integer(int column) const {
  return is_null(column) ? std::nullopt : std::optional<std::int64_t>(integer(column));
}

std::string_view Statement::bytes(int column) const {
  const void* start = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return start != nullptr ? std::string_view(static_cast<const char*>(start), size)
                          : std::string_view();
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

bool Statement::is_blob(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_BLOB;
}

int Statement::columns() const {
  return sqlite3_column_count(statement_);
}

}  // namespace invlog::storage
