// A row of an SQL result in each form that the commands print: a table's cells, a JSON object, a
// CSV record.
//
// Pure functions over a statement that stands on a row; the thread of its connection. Never throw
// but for lack of memory.
#pragma once

#include <sqlite3.h>

#include <string>
#include <string_view>
#include <vector>

#include "agent/cli/text_table.h"

namespace invlog::cli {

enum class RowFormat { table, json, csv };

std::vector<std::string> column_names(sqlite3_stmt* statement);

// NULL is an empty cell; a blob that is not UTF-8 is shown as x'…' in hexadecimal.
std::vector<TableCell> table_row(sqlite3_stmt* statement);

// {"column":value,...} without a line end. NULL is null; a blob that is UTF-8 is a string, another
// {"base64":"…"}.
std::string json_row(sqlite3_stmt* statement);

// RFC 4180: fields quoted where needed, the line ended by CR LF. NULL is an empty field, an empty
// string is "". On a terminal, control characters but line ends and tabs come as \xNN, since a
// field may have been a stranger's.
std::string csv_row(sqlite3_stmt* statement, bool terminal);
// Names and fields of reports: such characters always come as \xNN.
std::string csv_header(const std::vector<std::string>& names);
void append_csv_field(std::string& line, std::string_view text);
// For texts that callers choose: with an apostrophe before what a spreadsheet would take for a
// formula.
void append_csv_text(std::string& line, std::string_view text);

}  // namespace invlog::cli
