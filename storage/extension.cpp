// The loadable extension: `.load ./build/invlog_sqlite` in sqlite3, or load_extension() in any
// program. SQLite finds the first entry point by the file's name, other loaders by the generic one.
#include <sqlite3ext.h>

#include <exception>

#include "storage/functions.h"

SQLITE_EXTENSION_INIT1

namespace {

int initialize(sqlite3* connection, char** error, const sqlite3_api_routines* api) {
  SQLITE_EXTENSION_INIT2(api);
  try {
    return invlog::storage::register_functions(connection);
  } catch (const std::exception& exception) {
    *error = sqlite3_mprintf("invlog: %s", exception.what());
    return SQLITE_ERROR;
  }
}

}  // namespace

#define INVLOG_EXPORT extern "C" __attribute__((visibility("default")))

INVLOG_EXPORT int sqlite3_invlogsqlite_init(sqlite3* connection, char** error,
                                            const sqlite3_api_routines* api) {
  return initialize(connection, error, api);
}

INVLOG_EXPORT int sqlite3_extension_init(sqlite3* connection, char** error,
                                         const sqlite3_api_routines* api) {
  return initialize(connection, error, api);
}
