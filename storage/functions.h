// The SQL functions invlog_request(id), invlog_response(id), invlog_record(id) and
// invlog_contains(id, text) on a connection: linked into `invlog`, and loaded into any sqlite3 as
// invlog_sqlite.so (storage/extension.cpp).
//
// invlog_contains: 1 if the request or the response has the text, or what the details keep of them
// (details_match.h), however JSON writes it there (text_matcher.h), else 0.
#pragma once

#include <sqlite3.h>

namespace invlog::storage {

// Registers the functions on `connection`; they share a small cache of decoded segments that lives
// as long as it. Returns an SQLite result code.
int register_functions(sqlite3* connection);

}  // namespace invlog::storage
