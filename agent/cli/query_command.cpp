#include "agent/cli/query_command.h"

#include <algorithm>
#include <memory>

#include "agent/cli/display_text.h"
#include "storage/store_file.h"

namespace invlog::cli {
namespace {

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using StatementOwner = std::unique_ptr<sqlite3_stmt, Finalize>;

// The line of `sql` around byte `offset`, and a caret below it.
void point_at(std::ostream& err, std::string_view sql, std::size_t offset) {
  constexpr std::size_t kContext = 60;  // bytes of the line before the place
  const std::size_t line_begin = offset == 0 ? 0 : sql.rfind('\n', offset - 1) + 1;
  const std::size_t line_end = std::min(sql.find('\n', offset), sql.size());
  std::size_t begin = offset - line_begin > kContext ? offset - kContext : line_begin;
  while (begin < offset && (static_cast<unsigned char>(sql[begin]) & 0xC0) == 0x80) {
    ++begin;  // not within a character
  }
  const std::string before = printable(sql.substr(begin, offset - begin));
  const std::string after = printable(sql.substr(offset, std::min(line_end - offset, kContext)));
  const long line =
      1 + std::count(sql.begin(), sql.begin() + static_cast<std::ptrdiff_t>(offset), '\n');
  err << "  " << before << after << "\n  " << std::string(display_width(before), ' ') << "^ line "
      << line << ", column " << offset - line_begin + 1 << '\n';
}

int sql_error(sqlite3* connection, std::string_view sql, std::size_t statement_begin,
              std::ostream& err) {
  err << "invlog query: " << sqlite3_errmsg(connection) << '\n';
  const int offset = sqlite3_error_offset(connection);
  if (offset >= 0 && statement_begin + static_cast<std::size_t>(offset) <= sql.size()) {
    point_at(err, sql, statement_begin + static_cast<std::size_t>(offset));
  }
  return kFailure;
}

// Prints every row; SQLite's result code.
int print_rows(sqlite3_stmt* statement, const QueryOptions& options, std::ostream& out) {
  const auto each_row = [&](const auto& print) {
    int code = SQLITE_ROW;
    while (out && (code = sqlite3_step(statement)) == SQLITE_ROW) {
      print();
    }
    return code == SQLITE_ROW ? SQLITE_DONE : code;  // the reader of `out` went away
  };
  if (options.format == RowFormat::json) {
    return each_row([&] { out << json_row(statement) << '\n'; });
  }
  if (options.format == RowFormat::csv) {
    out << csv_header(column_names(statement));
    return each_row([&] { out << csv_row(statement, options.terminal_width > 0); });
  }
  std::vector<std::string> header;
  for (const std::string& name : column_names(statement)) {
    header.push_back(printable(name));
  }
  TextTable table(out, header, options.terminal_width);
  const int code = each_row([&] { table.add(table_row(statement)); });
  table.finish();
  return code;
}

}  // namespace

int run_query(const QueryOptions& options, std::ostream& out, std::ostream& err) {
  int exit_code = kSuccess;
  const auto reader = open_store(options.store, err, exit_code);
  if (!reader) {
    return exit_code;
  }
  sqlite3* const connection = reader->connection();
  const std::string& sql = options.sql;
  bool any = false;
  for (const char* rest = sql.c_str(); *rest != '\0';) {
    const auto begin = static_cast<std::size_t>(rest - sql.c_str());
    sqlite3_stmt* prepared = nullptr;
    const char* tail = nullptr;
    if (sqlite3_prepare_v2(connection, rest, -1, &prepared, &tail) != SQLITE_OK) {
      return sql_error(connection, sql, begin, err);
    }
    const StatementOwner statement(prepared);
    rest = tail;
    if (statement == nullptr) {
      continue;  // white space or a comment
    }
    if (sqlite3_stmt_readonly(statement.get()) == 0) {
      err << "invlog query: this statement would write, and a store is only read here: "
          << printable(sqlite3_sql(statement.get())) << '\n';
      return kFailure;
    }
    if (any && options.format == RowFormat::table && sqlite3_column_count(statement.get()) > 0) {
      out << '\n';
    }
    any = true;
    const int code = sqlite3_column_count(statement.get()) > 0
                         ? print_rows(statement.get(), options, out)
                         : sqlite3_step(statement.get());
    storage::check_unwritten(connection);
    if (code != SQLITE_DONE && code != SQLITE_ROW) {
      return sql_error(connection, sql, begin, err);
    }
  }
  if (!any) {
    err << "invlog query: there is no SQL statement in \"" << printable(sql) << "\"\n";
    return kUsageError;
  }
  return kSuccess;
}

}  // namespace invlog::cli
