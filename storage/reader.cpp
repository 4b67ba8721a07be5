#include "storage/reader.h"

#include <sys/stat.h>

#include <cstdio>
#include <limits>

#include "storage/functions.h"
#include "storage/label_table.h"
#include "storage/record_row.h"
#include "storage/request_keys.h"
#include "storage/schema.h"
#include "storage/segment_cache.h"
#include "storage/statement.h"
#include "storage/store_error.h"
#include "storage/store_file.h"

namespace invlog::storage {
namespace {

std::string percent_encoded(const std::string& path) {
  std::string encoded;
  for (const char character : path) {
    if (character == '?' || character == '#' || character == '%') {
      char code[4];
      snprintf(code, sizeof(code), "%%%02X", static_cast<unsigned>(character));
      encoded += code;
    } else {
      encoded.push_back(character);
    }
  }
  return encoded;
}

}  // namespace

class Reader::Implementation {
 public:
  explicit Implementation(sqlite3* connection)
      : connection_(connection), labels_(connection), cache_(connection) {}
  explicit Implementation(Connection owned)
      : owned_(std::move(owned)),
        connection_(owned_.get()),
        labels_(connection_),
        cache_(connection_) {}

  sqlite3* connection() { return connection_; }

  std::optional<StoredRecord> find(std::int64_t id, Bodies bodies) {
    Statement select(connection_, select_record_sql() + "WHERE id = ?1");
    if (!select.bind(1, id).step()) {
      return std::nullopt;
    }
    return stored(select, bodies);
  }

  std::optional<StoredRecord> find_by_request_id(std::string_view request_id, Bodies bodies) {
    const auto id = find_request(connection_, request_id);
    return id ? find(*id, bodies) : std::nullopt;
  }

  void each(std::int64_t first, Bodies bodies, const std::function<bool(StoredRecord&)>& visit) {
    // The open statement holds the snapshot for everything else that is read on this connection.
    Statement select(connection_, select_record_sql() + "WHERE id >= ?1 ORDER BY id");
    select.bind(1, first);
    while (select.step()) {
      StoredRecord record = stored(select, bodies);
      if (!visit(record)) {
        return;
      }
    }
  }

 private:
  StoredRecord stored(Statement& select, Bodies bodies) {
    RecordRow row = read_record(select, labels_);
    StoredRecord stored;
    stored.id = row.id;
    stored.request_bytes = row.request_bytes;
    stored.response_bytes = row.response_bytes;
    stored.record = std::move(row.record);
    find_place(stored.id);
    stored.segment = place_.id;
    if (bodies != Bodies::none) {
      read_bodies(stored, row.checksum, bodies);
    }
    return stored;
  }

  void find_place(std::int64_t id) {
    if (place_.id != 0 && id >= place_.first_record && id <= place_.last_record) {
      return;
    }
    Statement select(connection_,
                     "SELECT id, first_record, last_record, stream_bytes FROM segment WHERE "
                     "first_record <= ?1 ORDER BY first_record DESC, id DESC LIMIT 1");
    SegmentPlace place;
    if (select.bind(1, id).step()) {
      place.id = select.integer(0);
      place.first_record = select.integer(1);
      place.last_record =
          select.optional_integer(2).value_or(std::numeric_limits<std::int64_t>::max());
      place.stream_bytes = select.optional_integer(3).value_or(0);
    }
    if (place.id == 0 || id > place.last_record) {
      throw StoreError("record " + std::to_string(id) + " belongs to no segment");
    }
    // An open segment is looked up anew each time: it may have been closed since.
    place_ = place;
    if (select.is_null(2)) {
      place_.last_record = id;
    }
  }

  void read_bodies(StoredRecord& stored, std::uint64_t checksum, Bodies bodies) {
    const std::string name = "record " + std::to_string(stored.id);
    const auto index = static_cast<std::size_t>(stored.id - place_.first_record);
    std::string request;
    std::string_view response;
    try {
      const SegmentDecoder& segment = cache_.decoded(place_, index);
      request = segment.request(index);
      response = segment.response(index);
    } catch (const StoreError& error) {
      throw StoreError(name + ": " + error.what(), error.sqlite_code());
    }
    if (body_checksum(stored.id, request, response) != checksum ||
        static_cast<std::int64_t>(request.size()) != stored.request_bytes ||
        static_cast<std::int64_t>(response.size()) != stored.response_bytes) {
      throw StoreError(name + ": its bodies in segment " + std::to_string(place_.id) +
                       " do not match its checksum: the store was damaged or changed");
    }
    if (bodies != Bodies::response) {
      stored.record.request.bytes = std::move(request);
    }
    if (bodies != Bodies::request) {
      stored.record.response.bytes = response;
    }
  }

  Connection owned_;
  sqlite3* connection_;
  LabelReader labels_;
  SegmentCache cache_;
  SegmentPlace place_;
};

tl::expected<std::unique_ptr<Reader>, std::string> Reader::open(const std::string& path) {
  const std::string where = "store " + path + ": ";
  if (const std::string missing = missing_file_problem(path); !missing.empty()) {
    return tl::unexpected(where + missing);
  }
  const auto connect = [](const std::string& name, int flags) {
    sqlite3* connection = nullptr;
    sqlite3_open_v2(name.c_str(), &connection, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | flags,
                    nullptr);
    sqlite3_busy_timeout(connection, 5000);
    return Connection(connection);
  };
  Connection connection = connect(path, 0);
  bool cannot_open = false;
  std::string problem = store_problem(connection.get(), cannot_open);
  // In a directory that cannot be written, SQLite can open a WAL store only if nobody writes it,
  // and must be told so.
  struct stat status {};
  if (cannot_open && (::stat((path + "-wal").c_str(), &status) != 0 || status.st_size == 0)) {
    connection = connect("file:" + percent_encoded(path) + "?immutable=1", SQLITE_OPEN_URI);
    problem = store_problem(connection.get(), cannot_open);
  }
  if (!problem.empty()) {
    return tl::unexpected(where + problem);
  }
  sqlite3_exec(connection.get(), "PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY", nullptr,
               nullptr, nullptr);
  register_functions(connection.get());
  auto reader = std::make_unique<Reader>(nullptr);
  reader->implementation_ = std::make_unique<Implementation>(std::move(connection));
  return reader;
}

Reader::Reader(sqlite3* borrowed) : implementation_(std::make_unique<Implementation>(borrowed)) {}

Reader::~Reader() = default;

StoreInformation Reader::information() {
  Statement select(connection(), "SELECT region, account_id, host, created_at FROM store");
  if (!select.step()) {
    throw StoreError("this is not an invlog store: its `store` row is missing");
  }
  StoreInformation information;
  information.region = select.bytes(0);
  information.account_id = select.bytes(1);
  information.host = select.bytes(2);
  information.created_at = select.bytes(3);
  information.format_version =
      static_cast<int>(single_integer(connection(), "PRAGMA user_version"));
  return information;
}

std::optional<StoredRecord> Reader::find(std::int64_t id, Bodies bodies) {
  return implementation_->find(id, bodies);
}

std::optional<StoredRecord> Reader::find_by_request_id(std::string_view request_id, Bodies bodies) {
  return implementation_->find_by_request_id(request_id, bodies);
}

void Reader::each(std::int64_t first, Bodies bodies,
                  const std::function<bool(StoredRecord&)>& visit) {
  implementation_->each(first, bodies, visit);
}

std::int64_t Reader::last_id() {
  return single_integer(connection(), "SELECT coalesce(max(id), 0) FROM record");
}

sqlite3* Reader::connection() {
  return implementation_->connection();
}

}  // namespace invlog::storage
