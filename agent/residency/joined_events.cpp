#include "agent/residency/joined_events.h"

#include <string>

#include "storage/statement.h"
#include "storage/store_error.h"
#include "storage/store_file.h"

namespace invlog::residency {
namespace {

storage::Connection connect_to_nothing() {
  sqlite3* opened = nullptr;
  const int result =
      sqlite3_open_v2(":memory:", &opened,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  storage::Connection connection(opened);
  if (result != SQLITE_OK) {
    throw storage::StoreError(sqlite3_errstr(result));
  }
  storage::execute(opened, "PRAGMA temp_store = FILE");
  storage::execute(opened, "CREATE TEMP TABLE joined(id BLOB PRIMARY KEY) WITHOUT ROWID");
  storage::execute(opened, "PRAGMA temp.cache_size = -4096");
  storage::execute(opened, "PRAGMA temp.journal_mode = OFF");
  return connection;
}

// In the order of sort_events(), so that a batch goes through the table once from end to end.
std::string key_of(const CompactEvent& event) {
  std::string key;
  for (const CompactId& id : {event.request, event.event}) {
    key.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
    key.push_back(id.is_text ? '\1' : '\0');
  }
  return key;
}

}  // namespace

class JoinedEvents::Table {
 public:
  std::int64_t drop_known(std::vector<CompactEvent>& batch, bool last) {
    storage::execute(connection_.get(), "BEGIN");
    const std::size_t dropped = std::erase_if(batch, [this, last](const CompactEvent& event) {
      const std::string key = key_of(event);
      return last ? has(key) : !add(key);
    });
    storage::execute(connection_.get(), "COMMIT");
    return static_cast<std::int64_t>(dropped);
  }

 private:
  bool has(const std::string& key) {
    const bool found = find_.bind_blob(1, key).step();
    find_.reset();
    return found;
  }

  // False: it was there.
  bool add(const std::string& key) {
    add_.bind_blob(1, key).run();
    return sqlite3_changes(connection_.get()) == 1;
  }

  const storage::Connection connection_ = connect_to_nothing();
  storage::Statement find_{connection_.get(), "SELECT 1 FROM joined WHERE id = ?1"};
  storage::Statement add_{connection_.get(), "INSERT OR IGNORE INTO joined(id) VALUES (?1)"};
};

JoinedEvents::JoinedEvents() = default;
JoinedEvents::~JoinedEvents() = default;

std::int64_t JoinedEvents::drop_known(std::vector<CompactEvent>& batch, bool last) {
  if (!table_ && last) {
    return 0;
  }
  try {
    if (!table_) {
      table_ = std::make_unique<Table>();
    }
    return table_->drop_known(batch, last);
  } catch (const storage::StoreError& error) {
    throw storage::StoreError(
        std::string("which events were compared cannot be kept in a temporary file: ") +
            error.what(),
        error.sqlite_code());
  }
}

}  // namespace invlog::residency
