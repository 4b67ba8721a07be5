#include "storage/table_definitions.h"

#include <algorithm>
#include <string_view>

#include "storage/schema.h"
#include "storage/statement.h"
#include "storage/store_error.h"
#include "storage/store_file.h"

namespace invlog::storage {
namespace {

constexpr const char* kCovered[] = {"store", "label", "record", "segment", "chunk", "event"};
// As words_of() gives the end of `record` with its newest column, and without.
constexpr std::string_view kWithDestinations = ",destinations INTEGER)STRICT";
constexpr std::string_view kWithoutDestinations = ")STRICT";

bool is_mark(char character) {
  return character == '(' || character == ')' || character == ',';
}

// Bytes of white space, or of a comment, that `sql` begins with.
std::size_t blank_length(std::string_view sql) {
  if (std::string_view(" \t\n\f\r").find(sql.front()) != std::string_view::npos) {
    return 1;
  }
  if (sql.starts_with("--")) {
    return std::min(sql.find('\n'), sql.size());
  }
  if (sql.starts_with("/*")) {
    const std::size_t end = sql.find("*/", 2);
    return end == std::string_view::npos ? sql.size() : end + 2;
  }
  return 0;
}

// Bytes of the quoted text that `sql` begins with, else 1. One with a quote in it (which is doubled
// there) is taken as two that touch.
std::size_t part_length(std::string_view sql) {
  const char first = sql.front();
  if (first != '\'' && first != '"' && first != '`' && first != '[') {
    return 1;
  }
  const std::size_t end = sql.find(first == '[' ? ']' : first, 1);
  return end == std::string_view::npos ? sql.size() : end + 1;
}

// The statement without comments, and with one space where white space parts two words.
std::string words_of(std::string_view sql) {
  std::string words;
  bool apart = false;
  while (!sql.empty()) {
    if (const std::size_t blank = blank_length(sql); blank != 0) {
      apart = true;
      sql.remove_prefix(blank);
      continue;
    }
    if (apart && !words.empty() && !is_mark(words.back()) && !is_mark(sql.front())) {
      words += ' ';
    }
    apart = false;
    const std::size_t length = part_length(sql);
    words += sql.substr(0, length);
    sql.remove_prefix(length);
  }
  return words;
}

// "" if there is no such table.
std::string definition(sqlite3* connection, std::string_view table) {
  Statement select(connection, "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1");
  return select.bind_text(1, table).step() ? words_of(select.bytes(0)) : "";
}

// A database in memory with the tables of a new store.
Connection new_store(const std::string& region) {
  sqlite3* opened = nullptr;
  const int result =
      sqlite3_open_v2(":memory:", &opened,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  Connection connection(opened);
  if (result != SQLITE_OK) {
    throw StoreError(std::string("cannot open a database in memory: ") + sqlite3_errstr(result));
  }
  execute(opened, schema_sql(region));
  return connection;
}

}  // namespace

std::vector<std::string> table_problems(sqlite3* connection, const std::string& region) {
  if (const std::string problem = region_problem(region); !problem.empty()) {
    return {problem};
  }
  const Connection fresh = new_store(region);
  const bool is_first = !has_destinations(connection);
  std::vector<std::string> problems;
  for (const char* table : kCovered) {
    std::string expected = definition(fresh.get(), table);
    if (is_first && expected.ends_with(kWithDestinations)) {
      expected.replace(expected.size() - kWithDestinations.size(), kWithDestinations.size(),
                       kWithoutDestinations);
    }
    if (definition(connection, table) != expected) {
      problems.push_back(std::string("the table `") + table +
                         "` is not defined as invlog defined it for Region " + region +
                         ": its columns may hold what their names do not say");
    }
  }
  return problems;
}

}  // namespace invlog::storage
