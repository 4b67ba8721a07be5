#include "storage/side_connection.h"

#include "storage/statement.h"
#include "storage/store_error.h"

namespace invlog::storage {
namespace {

// Longer than the writer's: what is written here has time, a record has not.
constexpr int kBusyMilliseconds = 10'000;

tl::expected<Connection, std::string> connect(const std::string& path, const std::string& vfs,
                                              std::string_view why) {
  if (std::string missing = missing_file_problem(path); !missing.empty()) {
    return tl::unexpected(std::move(missing));
  }
  if (std::string others = other_names_problem(path); !others.empty()) {
    return tl::unexpected(std::move(others));
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
    return tl::unexpected(cannot_open ? with_disk_refusal(std::move(problem), path)
                                      : std::move(problem));
  }
  if (sqlite3_db_readonly(opened, "main") != 0) {
    return tl::unexpected("it cannot be written, and " + std::string(why));
  }
  return connection;
}

}  // namespace

tl::expected<Connection, std::string> connect_beside_writer(const std::string& store_path,
                                                            const std::string& vfs,
                                                            std::string_view why) {
  auto connection = connect(resolved_store_path(store_path), vfs, why);
  if (!connection) {
    return tl::unexpected("store " + store_path + ": " + connection.error());
  }
  try {
    execute(connection->get(), "PRAGMA journal_mode = WAL");
    execute(connection->get(), "PRAGMA synchronous = FULL");
    execute(connection->get(), "PRAGMA cache_size = -256");
    execute(connection->get(), "PRAGMA temp_store = MEMORY");
    execute(connection->get(), "PRAGMA journal_size_limit = 16777216");
    execute(connection->get(), "PRAGMA secure_delete = ON");  // what goes is to be gone
  } catch (const StoreError& error) {
    return tl::unexpected(std::string(error.what()));
  }
  return connection;
}

}  // namespace invlog::storage
