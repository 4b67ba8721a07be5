#include "agent/cli/show_command.h"

#include <charconv>

#include "agent/cli/display_text.h"
#include "agent/cli/json_layout.h"
#include "agent/cli/row_format.h"
#include "storage/base64.h"
#include "storage/json_writer.h"
#include "storage/statement.h"

namespace invlog::cli {
namespace {

using storage::Body;
using storage::StoredRecord;

std::optional<StoredRecord> find(storage::Reader& reader, const std::string& id) {
  std::int64_t number = 0;
  const auto [rest, code] = std::from_chars(id.data(), id.data() + id.size(), number);
  if (code == std::errc{} && rest == id.data() + id.size()) {
    if (auto found = reader.find(number, storage::Bodies::both)) {
      return found;
    }
  }
  return reader.find_by_request_id(id, storage::Bodies::both);
}

void print_body(std::ostream& out, const char* title, const Body& body, bool erased,
                bool terminal) {
  out << '\n' << title << "  " << printable(body.content_type) << "  ";
  if (erased) {
    out << "erased\n";
    return;
  }
  out << counted(static_cast<long long>(body.bytes.size()), "byte")
      << (body.truncated ? ", cut by the agent's bound" : "") << '\n';
  if (body.is_json) {
    const std::string json = indented_json(body.bytes);
    out << (terminal ? printable_json(json) : json) << '\n';
  } else if (!body.bytes.empty()) {
    constexpr std::size_t kShown = 2000;  // bytes
    out << printable(std::string_view(body.bytes).substr(0, kShown))
        << (body.bytes.size() > kShown ? "…" : "") << '\n';
  }
}

// The columns of `invocations` that have a value, a line each.
std::string column_lines(sqlite3_stmt* row) {
  constexpr std::size_t kNameColumns = 20;
  std::string lines;
  const std::vector<std::string> names = column_names(row);
  const std::vector<TableCell> values = table_row(row);
  for (std::size_t column = 0; column < names.size(); ++column) {
    if (!values[column].text.empty()) {
      const std::size_t padding = kNameColumns - std::min(kNameColumns, names[column].size());
      lines += names[column] + std::string(padding, ' ') + values[column].text + '\n';
    }
  }
  return lines;
}

// What `text_of` makes of the record's row of `invocations`; none if it is gone. Nothing is printed
// in here: while a statement stands on a row, a writer's log cannot be emptied, and whoever reads
// the output may take as long as he likes.
std::optional<std::string> row_text(storage::Reader& reader, std::int64_t id,
                                    std::string (*text_of)(sqlite3_stmt*)) {
  storage::Statement row(reader.connection(), "SELECT * FROM invocations WHERE id = ?1");
  return row.bind(1, id).step() ? std::optional(text_of(row.raw())) : std::nullopt;
}

void append_body(std::string& json, std::string_view name, const Body& body) {
  if (body.is_json) {
    storage::append_json_raw(json, name, one_line_json(body.bytes));
  } else if (!body.bytes.empty()) {
    storage::append_json_member(json, std::string(name) + "_base64",
                                storage::base64_encode(body.bytes));
  }
}

}  // namespace

int run_show(const ShowOptions& options, std::ostream& out, std::ostream& err) {
  int exit_code = kSuccess;
  const auto reader = open_store(options.store, err, exit_code);
  if (!reader) {
    return exit_code;
  }
  const std::optional<StoredRecord> stored = find(*reader, options.id);
  if (!stored) {
    err << "invlog show: there is no record with the number or request id \""
        << printable(options.id) << "\"\n";
    return kFailure;
  }
  if (options.what == ShowWhat::request || options.what == ShowWhat::response) {
    out << (options.what == ShowWhat::request ? stored->record.request : stored->record.response)
               .bytes;
    return kSuccess;
  }
  if (options.what == ShowWhat::record) {
    const std::string json = storage::record_json(reader->information(), *stored);
    out << (options.terminal ? printable_json(json) : json) << '\n';
    return kSuccess;
  }
  const bool as_json = options.what == ShowWhat::json;
  const auto columns = row_text(*reader, stored->id, as_json ? json_row : column_lines);
  if (!columns) {
    err << "invlog show: record " << stored->id << " is gone from the store\n";
    return kFailure;
  }
  if (as_json) {
    std::string json = *columns;
    json.pop_back();
    if (stored->erased) {
      storage::append_json_raw(json, "erased", "true");
    }
    append_body(json, "request", stored->record.request);
    append_body(json, "response", stored->record.response);
    json += '}';
    out << (options.terminal ? printable_json(json) : json) << '\n';
    return kSuccess;
  }
  out << *columns;
  print_body(out, "REQUEST", stored->record.request, stored->erased, options.terminal);
  print_body(out, "RESPONSE", stored->record.response, stored->erased, options.terminal);
  return kSuccess;
}

}  // namespace invlog::cli
