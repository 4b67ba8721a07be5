#include "agent/cli/row_format.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "agent/cli/display_text.h"
#include "storage/base64.h"
#include "storage/json_writer.h"

namespace invlog::cli {
namespace {

std::string_view bytes_of(sqlite3_stmt* statement, int column) {
  const bool blob = sqlite3_column_type(statement, column) == SQLITE_BLOB;
  const void* data = blob ? sqlite3_column_blob(statement, column)
                          : static_cast<const void*>(sqlite3_column_text(statement, column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
  return data == nullptr ? std::string_view{}
                         : std::string_view(static_cast<const char*>(data), size);
}

// The shortest text that reads back as the same number.
std::string number_text(double number) {
  char text[40];
  const auto result = std::to_chars(text, text + sizeof text, number);
  return {text, result.ptr};
}

bool valid_utf8(std::string_view bytes) {
  // What printable() cannot show it replaces by U+FFFD; text that has some of its own still counts
  // as text.
  const auto replacements = [](std::string_view text) {
    std::size_t count = 0;
    for (std::size_t at = text.find("\xef\xbf\xbd"); at != std::string_view::npos;
         at = text.find("\xef\xbf\xbd", at + 3)) {
      ++count;
    }
    return count;
  };
  return replacements(printable(bytes)) == replacements(bytes);
}

std::string hexadecimal(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "x'";
  for (const char character : bytes) {
    const auto byte = static_cast<unsigned char>(character);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text + "'";
}

std::string text_of(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL:
      return "";
    case SQLITE_INTEGER:
      return std::to_string(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT:
      return number_text(sqlite3_column_double(statement, column));
    case SQLITE_BLOB: {
      const std::string_view bytes = bytes_of(statement, column);
      return valid_utf8(bytes) ? std::string(bytes) : hexadecimal(bytes);
    }
    default:
      return std::string(bytes_of(statement, column));
  }
}

void append_json_value(std::string& out, sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL:
      out += "null";
      return;
    case SQLITE_INTEGER:
      out += std::to_string(sqlite3_column_int64(statement, column));
      return;
    case SQLITE_FLOAT: {
      const double number = sqlite3_column_double(statement, column);
      out += std::isfinite(number) ? number_text(number) : "null";
      return;
    }
    case SQLITE_BLOB:
      if (const std::string_view bytes = bytes_of(statement, column); !valid_utf8(bytes)) {
        out += "{\"base64\":\"";
        storage::append_base64(out, bytes);
        out += "\"}";
        return;
      }
      break;
    default:
      break;
  }
  storage::append_json_string(out, bytes_of(statement, column));
}

void append_quoted(std::string& line, std::string_view text) {
  const bool plain = !text.empty() && text.find_first_of("\",\r\n") == std::string_view::npos &&
                     text.front() != ' ' && text.back() != ' ';
  if (plain) {
    line += text;
    return;
  }
  line += '"';
  for (const char byte : text) {
    if (byte == '"') {
      line += '"';
    }
    line += byte;
  }
  line += '"';
}

}  // namespace

std::vector<std::string> column_names(sqlite3_stmt* statement) {
  std::vector<std::string> names;
  for (int column = 0; column < sqlite3_column_count(statement); ++column) {
    const char* name = sqlite3_column_name(statement, column);
    names.emplace_back(name == nullptr ? "" : name);
  }
  return names;
}

std::vector<TableCell> table_row(sqlite3_stmt* statement) {
  std::vector<TableCell> row;
  for (int column = 0; column < sqlite3_column_count(statement); ++column) {
    const int type = sqlite3_column_type(statement, column);
    row.push_back(
        {printable(text_of(statement, column)), type == SQLITE_INTEGER || type == SQLITE_FLOAT});
  }
  return row;
}

std::string json_row(sqlite3_stmt* statement) {
  std::string out = "{";
  for (int column = 0; column < sqlite3_column_count(statement); ++column) {
    if (column > 0) {
      out += ',';
    }
    const char* name = sqlite3_column_name(statement, column);
    storage::append_json_string(out, name == nullptr ? "" : name);
    out += ':';
    append_json_value(out, statement, column);
  }
  out += '}';
  return out;
}

std::string csv_row(sqlite3_stmt* statement, bool terminal) {
  std::string line;
  for (int column = 0; column < sqlite3_column_count(statement); ++column) {
    if (column > 0) {
      line += ',';
    }
    if (sqlite3_column_type(statement, column) != SQLITE_NULL) {
      const std::string text = text_of(statement, column);
      append_quoted(line, terminal ? printable_lines(text) : text);
    }
  }
  return line + "\r\n";
}

std::string csv_header(const std::vector<std::string>& names) {
  std::string line;
  for (const std::string& name : names) {
    if (!line.empty()) {
      line += ',';
    }
    append_csv_field(line, name);
  }
  return line + "\r\n";
}

void append_csv_field(std::string& line, std::string_view foreign) {
  append_quoted(line, printable_lines(foreign));
}

void append_csv_text(std::string& line, std::string_view text) {
  const bool formula =
      !text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos;
  append_csv_field(line, formula ? "'" + std::string(text) : std::string(text));
}

}  // namespace invlog::cli
