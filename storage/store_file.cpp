#include "storage/store_file.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "storage/schema.h"
#include "storage/statement.h"
#include "storage/store_error.h"

namespace invlog::storage {
namespace {

// Longer than the writer's: whoever stands beside it has time, a record has not.
constexpr int kBusyMilliseconds = 10'000;

}  // namespace

std::string missing_file_problem(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    return "";
  }
  return std::string(std::strerror(errno)) + "; name a store with --store FILE or --state-dir DIR";
}

std::string store_problem(sqlite3* connection, bool& cannot_open) {
  cannot_open = false;
  try {
    if (single_integer(connection, "PRAGMA application_id") != kApplicationId) {
      return "it is not an invlog store; name the <region>.db that `invlog agent` writes";
    }
    const std::int64_t version = single_integer(connection, "PRAGMA user_version");
    if (version != kFormatVersion) {
      return "its format is version " + std::to_string(version) + ", this invlog knows " +
             std::to_string(kFormatVersion) + "; use the invlog that wrote it, or a newer one";
    }
    return single_integer(connection, "SELECT count(*) FROM store") == 1
               ? ""
               : "its `store` row is missing; restore the file from a backup";
  } catch (const StoreError& error) {
    const int code = error.sqlite_code();
    cannot_open = code == SQLITE_CANTOPEN || code == SQLITE_READONLY;
    return std::string("cannot read it: ") + sqlite3_errmsg(connection);
  }
}

tl::expected<Connection, std::string> open_to_write(const std::string& path, const std::string& vfs,
                                                    const std::string& purpose) {
  if (std::string missing = missing_file_problem(path); !missing.empty()) {
    return tl::unexpected(std::move(missing));
  }
  sqlite3* opened = nullptr;
  const int result =
      sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                      vfs.empty() ? nullptr : vfs.c_str());
  Connection connection(opened);
  if (result != SQLITE_OK) {
    return tl::unexpected(std::string("cannot open it: ") + sqlite3_errstr(result));
  }
  sqlite3_busy_timeout(opened, kBusyMilliseconds);
  sqlite3_extended_result_codes(opened, 1);
  bool cannot_open = false;
  if (std::string problem = store_problem(opened, cannot_open); !problem.empty()) {
    return tl::unexpected(std::move(problem));
  }
  if (sqlite3_db_readonly(opened, "main") != 0) {
    return tl::unexpected("it cannot be written, and " + purpose +
                          "; run this as the user that runs the agent");
  }
  try {
    for (const char* setting :
         {"journal_mode = WAL", "synchronous = FULL", "cache_size = -256", "temp_store = MEMORY",
          "journal_size_limit = 16777216", "secure_delete = ON"}) {
      execute(opened, std::string("PRAGMA ") + setting);
    }
  } catch (const StoreError& error) {
    return tl::unexpected(std::string(error.what()));
  }
  return connection;
}

}  // namespace invlog::storage
