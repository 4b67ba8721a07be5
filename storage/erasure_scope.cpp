#include "storage/erasure_scope.h"

#include <algorithm>
#include <cctype>
#include <limits>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "storage/record_row.h"
#include "storage/reset_at_end.h"
#include "storage/retention_base.h"
#include "storage/row_order.h"
#include "storage/statement.h"
#include "storage/store_error.h"
#include "storage/uuid.h"

namespace invlog::storage {
namespace {

// Goes through the segments as the records come, in the order of ids.
class Collector {
 public:
  explicit Collector(sqlite3* connection)
      : segments_(connection, "SELECT id, first_record, last_record FROM segment ORDER BY id") {
    next();
  }

  void add(std::int64_t record, std::int64_t body_bytes, bool erased) {
    require_order(record, next_record_);
    next_record_ = number_behind(record);
    if (erased) {
      ++selection.already_erased;
      return;
    }
    while (there_ && record > last_) {
      next();
    }
    if (!there_ || record < first_) {
      throw StoreError("record " + std::to_string(record) +
                       " belongs to no segment; see `invlog verify`");
    }
    if (selection.segments.empty() || selection.segments.back().id != id_) {
      selection.segments.push_back({id_, last_ != std::numeric_limits<std::int64_t>::max(), {}});
    }
    selection.segments.back().records.push_back(record);
    selection.segments.back().body_bytes += body_bytes;
    selection.body_bytes += body_bytes;
    ++selection.records;
  }

  ErasureSelection selection;

 private:
  void next() {
    there_ = segments_.step();
    if (there_) {
      id_ = segments_.integer(0);
      first_ = segments_.integer(1);
      last_ = segments_.optional_integer(2).value_or(std::numeric_limits<std::int64_t>::max());
    }
  }

  Statement segments_;
  bool there_ = false;
  std::int64_t id_ = 0, first_ = 0, last_ = 0;
  std::int64_t next_record_ = std::numeric_limits<std::int64_t>::min();
};

constexpr const char* kSelected =
    "SELECT record.id, record.request_bytes + record.response_bytes, record.flags & ";

std::string where_sql(const std::string& range, const std::string& where) {
  return kSelected + std::to_string(kErasedFlag) + " FROM record WHERE record.id " + range +
         " AND record.id IN (SELECT id FROM invocations WHERE (\n" + where + "\n)) ORDER BY 1";
}

// SQLite's own words: the error has the whole statement in it, of which the expression is a part.
std::string no_expression(sqlite3* connection, const StoreError& error) {
  const bool of_sql = error.sqlite_code() == SQLITE_ERROR;
  return std::string("this is no SQL expression over `invocations`: ") +
         (of_sql ? sqlite3_errmsg(connection) : error.what());
}

// What the condition, or the record that it looks into, does: not so a disk that does not answer,
// or a locked store.
bool is_of_the_record(const StoreError& error) {
  return error.sqlite_code() == SQLITE_ERROR || error.sqlite_code() == SQLITE_CORRUPT;
}

// That of the record after `id`, if there is one up to `last`. Where a damaged page has it, the
// next number: a damaged or foreign row may have any number, and not all can be tried.
std::optional<std::int64_t> next_id(Statement& following, std::int64_t id, std::int64_t last) {
  if (id >= last) {
    return std::nullopt;
  }
  const ResetAtEnd let_go(following);
  try {
    if (!following.bind(1, id).bind(2, last).step()) {
      return std::nullopt;
    }
    require_order(following.integer(0), id + 1, last);
    return following.integer(0);
  } catch (const StoreError& error) {
    if (!is_of_the_record(error)) {
      throw;
    }
    return id + 1;
  }
}

// The condition for each record by itself: where one is damaged, SQLite gives up on all.
ErasureSelection select_each(sqlite3* connection, const std::string& where,
                             std::int64_t last_record, const StoreError& failure) {
  Collector collector(connection);
  ErasureSelection& selection = collector.selection;
  const std::int64_t gone = read_retention_base(connection).record;
  const std::int64_t last =
      std::min(last_record, single_integer(connection, "SELECT max(id) FROM record"));
  Statement select(connection, where_sql("= ?1", "id = ?1 AND (\n" + where + "\n)"));
  Statement following(connection,
                      "SELECT id FROM record WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT 1");
  std::int64_t judged = 0;
  for (auto next = next_id(following, gone, last); next; next = next_id(following, *next, last)) {
    const std::int64_t id = *next;
    ++judged;
    bool meant = false;
    try {
      meant = select.bind(1, id).step();
    } catch (const StoreError& error) {
      if (!is_of_the_record(error)) {
        throw;
      }
      if (selection.unjudged.empty()) {
        selection.unjudged_why = error.what();
      }
      selection.unjudged.push_back(id);
    }
    if (meant) {
      collector.add(id, select.integer(1), select.integer(2) != 0);
    }
    select.reset();
  }
  // Then it is the condition.
  if (static_cast<std::int64_t>(selection.unjudged.size()) == judged) {
    throw failure;
  }
  return std::move(selection);
}

tl::expected<ErasureSelection, std::string> select_where(sqlite3* connection,
                                                         const std::string& where,
                                                         std::int64_t last_record) {
  if (std::string problem = expression_problem(connection, where); !problem.empty()) {
    return tl::unexpected(std::move(problem));
  }
  const std::string sql = where_sql("<= ?1", where);
  std::unique_ptr<Statement> select;
  try {
    select = std::make_unique<Statement>(connection, sql);
  } catch (const StoreError& error) {
    return tl::unexpected(no_expression(connection, error));
  }
  // Whatever it is, it must be all of it, and only look.
  const char* const taken = sqlite3_sql(select->raw());
  if (taken == nullptr || sql != taken || sqlite3_stmt_readonly(select->raw()) == 0) {
    return tl::unexpected(std::string("give one SQL expression, not several statements"));
  }
  Collector collector(connection);
  select->bind(1, last_record);
  try {
    while (select->step()) {
      collector.add(select->integer(0), select->integer(1), select->integer(2) != 0);
    }
  } catch (const StoreError& error) {
    if (!is_of_the_record(error)) {
      throw;
    }
    select.reset();
    return select_each(connection, where, last_record, error);
  }
  return std::move(collector.selection);
}

// As stored, and which of the two: 16 bytes of a UUID are not a text of 16 bytes.
std::string stored_form(std::string_view request_id) {
  const auto uuid = uuid_bytes(request_id);
  return uuid ? "u" + *uuid : "t" + std::string(request_id);
}

// There is no index on request ids (FORMAT.md): one scan over the rows for all that are asked for.
ErasureSelection select_requests(sqlite3* connection, const std::vector<std::string>& request_ids,
                                 std::int64_t last_record) {
  std::unordered_map<std::string, bool> found;
  for (const std::string& id : request_ids) {
    found.emplace(stored_form(id), false);
  }
  Statement select(connection, "SELECT id, request_bytes + response_bytes, flags & " +
                                   std::to_string(kErasedFlag) +
                                   ", request_id FROM record WHERE id <= ?1 AND request_id IS NOT "
                                   "NULL ORDER BY id");
  select.bind(1, last_record);
  Collector collector(connection);
  while (select.step()) {
    const auto wanted = found.find((select.is_blob(3) ? "u" : "t") + std::string(select.bytes(3)));
    if (wanted != found.end()) {
      wanted->second = true;
      collector.add(select.integer(0), select.integer(1), select.integer(2) != 0);
    }
  }
  for (const std::string& id : request_ids) {
    if (!found.at(stored_form(id))) {
      collector.selection.unknown_request_ids.push_back(id);
    }
  }
  return std::move(collector.selection);
}

bool is_word(char character) {
  const auto byte = static_cast<unsigned char>(character);
  return std::isalnum(byte) != 0 || byte >= 0x80 || character == '_' || character == '$';
}

// The number that begins at `at`, with its fraction; "" if none does.
std::string_view number_at(std::string_view text, std::size_t at) {
  if (std::isdigit(static_cast<unsigned char>(text[at])) == 0 ||
      (at > 0 && is_word(text[at - 1]))) {
    return {};
  }
  std::size_t end = at;
  while (end < text.size() && (is_word(text[end]) || text[end] == '.')) {
    ++end;
  }
  return text.substr(at, end - at);
}

// A number that is long enough to be somebody's: an account's, a telephone's, a customer's.
bool tells_of_somebody(std::string_view number) {
  constexpr int kDigits = 5;
  const bool is_hex = number.starts_with("0x") || number.starts_with("0X");
  return std::count_if(number.begin(), number.end(), [is_hex](char character) {
           const auto byte = static_cast<unsigned char>(character);
           return is_hex ? std::isxdigit(byte) != 0 : std::isdigit(byte) != 0;
         }) >= kDigits;
}

}  // namespace

std::string expression_problem(sqlite3* connection, const std::string& where) {
  try {
    const Statement alone(connection, "SELECT 1 FROM invocations WHERE\n" + where);
    return sqlite3_bind_parameter_count(alone.raw()) == 0
               ? ""
               : "write values into the SQL expression: nothing stands for a parameter such as ?1";
  } catch (const StoreError& error) {
    return no_expression(connection, error);
  }
}

tl::expected<ErasureSelection, std::string> select_for_erasure(Reader& reader,
                                                               const ErasureScope& scope,
                                                               std::int64_t last_record) {
  sqlite3* const connection = reader.connection();
  // One snapshot for records and segments.
  execute(connection, "BEGIN");
  struct EndReading {
    sqlite3* connection;
    ~EndReading() { sqlite3_exec(connection, "ROLLBACK", nullptr, nullptr, nullptr); }
  } const end{connection};
  if (scope.request_ids.empty()) {
    return select_where(connection, scope.where, last_record);
  }
  return select_requests(connection, scope.request_ids, last_record);
}

std::string lasting_criterion(const ErasureScope& scope) {
  if (!scope.request_ids.empty()) {
    return std::to_string(scope.request_ids.size()) + " request ids";
  }
  std::string kept;
  const std::string& text = scope.where;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = std::string_view(text).substr(i);
    if (text[i] == '\'' || text[i] == '"' || text[i] == '`' || text[i] == '[') {
      const char close = text[i] == '[' ? ']' : text[i];
      kept += text[i];
      kept += "...";
      kept += close;
      i = std::min(text.find(close, i + 1), text.size());
    } else if (rest.starts_with("--")) {
      i = std::min(text.find('\n', i), text.size());
      kept += ' ';
    } else if (rest.starts_with("/*")) {
      i = std::min(text.find("*/", i + 2), text.size()) + 1;
      kept += ' ';
    } else if (const std::string_view number = number_at(text, i); !number.empty()) {
      kept += tells_of_somebody(number) ? "..." : number;
      i += number.size() - 1;
    } else {
      kept += text[i];
    }
  }
  return kept;
}

std::string ranges_json(const std::vector<std::int64_t>& ascending, std::size_t most) {
  std::string json = "[";
  std::size_t ranges = 0;
  for (std::size_t i = 0; i < ascending.size() && ranges < most; ++ranges) {
    const std::size_t first = i;
    while (i + 1 < ascending.size() && ascending[i + 1] == ascending[i] + 1) {
      ++i;
    }
    json += (ranges > 0 ? ",[" : "[") + std::to_string(ascending[first]) + "," +
            std::to_string(ascending[i]) + "]";
    ++i;
  }
  return json + "]";
}

}  // namespace invlog::storage
