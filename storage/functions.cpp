#include "storage/functions.h"

#include <memory>

#include "storage/details_match.h"
#include "storage/reader.h"
#include "storage/sqlite_api.h"
#include "storage/store_error.h"
#include "storage/text_matcher.h"

namespace invlog::storage {
namespace {

// SQLite frees the user data of each function by itself, so the reader has several owners.
using SharedReader = std::shared_ptr<Reader>;

Reader& reader_of(sqlite3_context* context) {
  return **static_cast<SharedReader*>(sqlite3_user_data(context));
}

void result_text(sqlite3_context* context, const std::string& text) {
  sqlite3_result_text64(context, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

// JSON as text, so that SQLite's own JSON functions take it; anything else as a blob.
void result_body(sqlite3_context* context, const Body& body) {
  if (body.is_json) {
    result_text(context, body.bytes);
  } else {
    sqlite3_result_blob64(context, body.bytes.data(), body.bytes.size(), SQLITE_TRANSIENT);
  }
}

bool is_found(const TextMatcher& matcher, const Body& body) {
  return matcher.find_in(body.bytes).has_value();
}

// An id says nothing of which attached database its row came from.
bool another_store_is_attached(sqlite3* connection) {
  constexpr int kFirstAttached = 2;  // after main and temp
  for (int at = kFirstAttached; const char* name = sqlite3_db_name(connection, at); ++at) {
    if (sqlite3_table_column_metadata(connection, name, "record", "checksum", nullptr, nullptr,
                                      nullptr, nullptr, nullptr) == SQLITE_OK) {
      return true;
    }
  }
  return false;
}

// NULL for an id that is NULL or has no record.
template <Bodies bodies, typename Result>
void with_record(sqlite3_context* context, sqlite3_value* id, const Result& result) {
  if (sqlite3_value_type(id) != SQLITE_INTEGER) {
    return;
  }
  if (another_store_is_attached(sqlite3_context_db_handle(context))) {
    sqlite3_result_error(context,
                         "another store is attached, and an id does not say of which store it is: "
                         "open each by itself",
                         -1);
    return;
  }
  try {
    if (const auto stored = reader_of(context).find(sqlite3_value_int64(id), bodies)) {
      result(*stored);
    }
  } catch (const StoreError& error) {
    sqlite3_result_error(context, error.what(), -1);
    if (error.sqlite_code() != SQLITE_OK) {
      sqlite3_result_error_code(context, error.sqlite_code());
    }
  } catch (const std::exception& error) {
    sqlite3_result_error(context, error.what(), -1);
  }
}

void request_function(sqlite3_context* context, int, sqlite3_value** arguments) {
  with_record<Bodies::request>(context, arguments[0], [&](const StoredRecord& stored) {
    result_body(context, stored.record.request);
  });
}

void response_function(sqlite3_context* context, int, sqlite3_value** arguments) {
  with_record<Bodies::response>(context, arguments[0], [&](const StoredRecord& stored) {
    result_body(context, stored.record.response);
  });
}

void record_function(sqlite3_context* context, int, sqlite3_value** arguments) {
  with_record<Bodies::both>(context, arguments[0], [&](const StoredRecord& stored) {
    result_text(context, record_json(reader_of(context).information(), stored));
  });
}

// NULL also for a text that is NULL. An empty one is in every body: nobody means that.
void contains_function(sqlite3_context* context, int, sqlite3_value** arguments) {
  const unsigned char* const text = sqlite3_value_text(arguments[1]);
  if (text == nullptr) {
    return;
  }
  const std::string wanted(reinterpret_cast<const char*>(text),
                           static_cast<std::size_t>(sqlite3_value_bytes(arguments[1])));
  if (wanted.empty()) {
    sqlite3_result_error(context, "invlog_contains: the text to look for is empty", -1);
    return;
  }
  with_record<Bodies::both>(context, arguments[0], [&](const StoredRecord& stored) {
    const TextMatcher matcher(wanted);
    const Record& record = stored.record;
    sqlite3_result_int(context, is_found(matcher, record.request) ||
                                    is_found(matcher, record.response) ||
                                    find_in_details(matcher, record.details, Bodies::both));
  });
}

}  // namespace

int register_functions(sqlite3* connection) {
  using Function = void (*)(sqlite3_context*, int, sqlite3_value**);
  struct Named {
    const char* name;
    Function function;
    int arguments = 1;
  };
  const auto reader = std::make_shared<Reader>(connection);
  for (const Named& named :
       {Named{"invlog_request", request_function}, Named{"invlog_response", response_function},
        Named{"invlog_record", record_function}, Named{"invlog_contains", contains_function, 2}}) {
    const int result =
        sqlite3_create_function_v2(connection, named.name, named.arguments, SQLITE_UTF8,
                                   new SharedReader(reader), named.function, nullptr, nullptr,
                                   [](void* data) { delete static_cast<SharedReader*>(data); });
    if (result != SQLITE_OK) {
      return result;
    }
  }
  return SQLITE_OK;
}

}  // namespace invlog::storage
