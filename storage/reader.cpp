#include "storage/reader.h"

#include <sys/stat.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "storage/functions.h"
#include "storage/host_history.h"
#include "storage/label_table.h"
#include "storage/record_row.h"
#include "storage/request_keys.h"
#include "storage/reset_at_end.h"
#include "storage/row_order.h"
#include "storage/schema.h"
#include "storage/segment_cache.h"
#include "storage/statement.h"
#include "storage/store_error.h"
#include "storage/store_file.h"

namespace invlog::storage {
class Reader::Implementation {
 public:
  Implementation(sqlite3* connection, const ReaderOptions& options)
      : connection_(connection),
        labels_(connection),
        cache_(connection, std::max<std::size_t>(1, options.cached_segments)) {}
  Implementation(Connection owned, const ReaderOptions& options)
      : Implementation(owned.get(), options) {
    owned_ = std::move(owned);
  }

  sqlite3* connection() { return connection_; }

  std::optional<StoredRecord> find(std::int64_t id, Bodies bodies) {
    forget_open_place();
    Statement select(connection_, select_sql() + "WHERE id = ?1");
    if (!select.bind(1, id).step()) {
      return std::nullopt;
    }
    StoredRecord found = stored(select, bodies);
    check_unwritten(connection_);
    return found;
  }

  std::optional<StoredRecord> find_by_request_id(std::string_view request_id, Bodies bodies) {
    const auto id = find_request(connection_, request_id);
    return id ? find(*id, bodies) : std::nullopt;
  }

  void each(std::int64_t first, Bodies bodies, const std::function<bool(StoredRecord&)>& visit,
            const Damaged& damaged, const Gone& gone) {
    Statement select(connection_, select_sql() + "WHERE id >= ?1 AND id <= ?2 ORDER BY id");
    Scan scan;
    scan.next = first;
    // The first portions are small: some callers want one record.
    for (std::size_t most = 1; !scan.ended; most = std::min(2 * most, kPortionRecords)) {
      const std::int64_t expected = scan.next;
      read_portion(select, scan, bodies, most, static_cast<bool>(damaged));
      if (gone && scan.first > expected) {
        gone(expected, std::min(scan.first - 1, scan.last));
      }
      for (StoredRecord& record : scan.portion) {
        if (!visit(record)) {
          return;
        }
      }
      if (scan.damaged && !damaged(*scan.damaged, scan.damage)) {
        return;
      }
    }
  }

  std::int64_t last_id() {
    try {
      return single_integer(connection_, "SELECT coalesce(max(id), 0) FROM main.record");
    } catch (const StoreError& error) {
      if (error.sqlite_code() != SQLITE_CORRUPT) {
        throw;
      }
    }
    std::int64_t last = single_integer(
        connection_,
        "SELECT coalesce(max(ifnull(last_record, first_record - 1)), 0) FROM main.segment");
    try {
      Statement next(connection_, "SELECT id FROM main.record WHERE id > ?1 ORDER BY id LIMIT 1");
      while (next.bind(1, last).step()) {
        last = next.integer(0);
        next.reset();
      }
      return last;
    } catch (const StoreError& error) {
      if (error.sqlite_code() != SQLITE_CORRUPT) {
        throw;
      }
      return last + 1;
    }
  }

  void release_memory() {
    cache_.clear();
    labels_.clear();
    sqlite3_db_release_memory(connection_);
  }

 private:
  // Where reading begins: on a damaged page one number after the other is tried, and retention may
  // have taken the first of them. A record before the first segment belongs to none, as damage may
  // have it, and whoever reads is told.
  std::int64_t first_there() {
    const std::int64_t of_segments =
        single_integer(connection_, "SELECT min(first_record) FROM main.segment");
    try {
      return std::min(of_segments, single_integer(connection_, "SELECT min(id) FROM main.record"));
    } catch (const StoreError&) {
      return of_segments;
    }
  }

  // How much is read before it is visited: enough that it costs no time to begin anew, and little
  // memory.
  static constexpr std::size_t kPortionRecords = 256;
  static constexpr std::size_t kPortionBytes = 256 << 10;

  // How far each() has come.
  struct Scan {
    std::int64_t next = 0;
    std::int64_t first = 0;               // where this portion began
    std::int64_t last = kNoEnd;           // the last record when it began, once that is known
    bool ended = false;                   // nothing comes behind this portion
    std::vector<StoredRecord> portion;    // to be visited
    std::optional<std::int64_t> damaged;  // comes behind them
    std::string damage;
  };

  // From `next` on, all in one snapshot, which is let go: whoever visits may take as long as he
  // likes, and nobody may keep a writer's log from being emptied for long.
  void read_portion(Statement& select, Scan& scan, Bodies bodies, std::size_t most,
                    bool takes_damaged) {
    const ResetAtEnd let_go(select);
    scan.portion.clear();
    scan.damaged.reset();
    forget_open_place();
    scan.next = scan.first = std::max(scan.next, first_there());
    // The open statement holds the snapshot for everything else that is read on this connection.
    select.bind(1, scan.next).bind(2, scan.last);
    try {
      fill_portion(select, scan, bodies, most);
    } catch (const StoreError& error) {
      check_unwritten(connection_);
      // What lies before it is visited first; then this comes again.
      if (scan.portion.empty()) {
        if (!takes_damaged || !is_damage(error)) {
          throw;
        }
        scan.damaged = scan.next;
        scan.damage = error.what();
        go_on(scan);
      }
    }
    check_unwritten(connection_);
    if (!scan.ended && scan.last == kNoEnd) {
      scan.last = last_id();
    }
    scan.ended = scan.ended || scan.next > scan.last;
  }

  // No record can follow the last id there is, which only a damaged or foreign row has.
  static void go_on(Scan& scan) {
    scan.ended = scan.next == kNoEnd;
    scan.next += scan.ended ? 0 : 1;
  }

  void fill_portion(Statement& select, Scan& scan, Bodies bodies, std::size_t most) {
    std::size_t bytes = 0;
    while (!scan.ended && scan.portion.size() < most && bytes < kPortionBytes) {
      if (!select.step()) {
        scan.ended = true;
        return;
      }
      require_order(select.integer(0), scan.next, scan.last);
      scan.next = select.integer(0);
      scan.portion.push_back(stored(select, bodies));
      go_on(scan);
      bytes += scan.portion.back().record.memory_bytes();
    }
  }

  // What a store has of tables and columns is asked once: its writer adds them before it writes.
  const std::string& select_sql() {
    if (select_sql_.empty()) {
      select_sql_ = select_record_sql(connection_);
    }
    return select_sql_;
  }

  static bool is_damage(const StoreError& error) {
    return error.sqlite_code() == SQLITE_OK || error.sqlite_code() == SQLITE_CORRUPT;
  }

  // It may have been closed since.
  void forget_open_place() {
    if (place_.last_record == kNoEnd) {
      place_ = {};
    }
  }

  StoredRecord stored(Statement& select, Bodies bodies) {
    RecordRow row = read_record(select, labels_);
    StoredRecord stored;
    stored.id = row.id;
    stored.request_bytes = row.request_bytes;
    stored.response_bytes = row.response_bytes;
    stored.erased = row.erased;
    stored.record = std::move(row.record);
    find_place(stored.id);
    stored.segment = place_.id;
    stored.host = host_of(stored.id);
    if (bodies != Bodies::none) {
      read_bodies(stored, row.checksum, bodies);
    }
    return stored;
  }

  const std::string& host_of(std::int64_t id) {
    if (!host_ || id < host_->first || id > host_->last) {
      host_ = host_span(connection_, id);
    }
    return host_->host;
  }

  void find_place(std::int64_t id) {
    if (place_.id != 0 && id >= place_.first_record && id <= place_.last_record) {
      return;
    }
    Statement select(connection_,
                     "SELECT id, first_record, last_record, stream_bytes FROM main.segment WHERE "
                     "first_record <= ?1 ORDER BY first_record DESC, id DESC LIMIT 1");
    SegmentPlace place;
    if (select.bind(1, id).step()) {
      place.id = select.integer(0);
      place.first_record = select.integer(1);
      place.last_record = select.optional_integer(2).value_or(kNoEnd);
      place.stream_bytes = select.optional_integer(3).value_or(0);
    }
    if (place.id == 0 || id > place.last_record) {
      throw StoreError("record " + std::to_string(id) + " belongs to no segment");
    }
    place_ = place;
  }

  void read_bodies(StoredRecord& stored, std::uint64_t checksum, Bodies bodies) {
    std::string request;
    std::string_view response;
    std::string problem = decode(stored, checksum, request, response);
    if (!problem.empty() && forget_what_was_erased()) {
      find_place(stored.id);
      problem = decode(stored, checksum, request, response);
    }
    if (!problem.empty()) {
      throw StoreError("record " + std::to_string(stored.id) + ": " + problem);
    }
    if (bodies != Bodies::response) {
      stored.record.request.bytes = std::move(request);
    }
    if (bodies != Bodies::request) {
      stored.record.response.bytes = response;
    }
  }

  // "" or what is damaged.
  std::string decode(const StoredRecord& stored, std::uint64_t checksum, std::string& request,
                     std::string_view& response) {
    const auto index = static_cast<std::size_t>(stored.id - place_.first_record);
    try {
      const SegmentDecoder& segment = cache_.decoded(place_, index);
      request = segment.request(index);
      response = segment.response(index);
    } catch (const StoreError& error) {
      if (!is_damage(error)) {
        throw StoreError("record " + std::to_string(stored.id) + ": " + error.what(),
                         error.sqlite_code());
      }
      return error.what();
    }
    const bool same = body_checksum(stored.id, request, response) == checksum &&
                      static_cast<std::int64_t>(request.size()) == stored.request_bytes &&
                      static_cast<std::int64_t>(response.size()) == stored.response_bytes;
    return same ? ""
                : "its bodies in segment " + std::to_string(place_.id) +
                      " do not match its checksum: the store was damaged or changed";
  }

  // What was decoded before an erasure is not what rows say since. False: there was none since this
  // was asked last.
  bool forget_what_was_erased() {
    const std::int64_t newest = single_integer(
        connection_, "SELECT id FROM main.event WHERE kind = 'erased' ORDER BY id DESC LIMIT 1");
    if (newest == newest_erasure_) {
      return false;
    }
    newest_erasure_ = newest;
    cache_.clear();
    place_ = {};
    return true;
  }

  static constexpr std::int64_t kNoEnd = std::numeric_limits<std::int64_t>::max();

  Connection owned_;
  sqlite3* connection_;
  LabelReader labels_;
  SegmentCache cache_;
  SegmentPlace place_;
  std::optional<HostSpan> host_;  // of what was read last
  std::string select_sql_;
  std::int64_t newest_erasure_ = 0;  // the event's id, when it mattered last
};

tl::expected<std::unique_ptr<Reader>, std::string> Reader::open(const std::string& given_path,
                                                                const ReaderOptions& options) {
  const std::string where = "store " + given_path + ": ";
  const std::string path = resolved_store_path(given_path);
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
  // In a directory that cannot be written, or on a full disk, SQLite can open a WAL store only if
  // nobody writes it, and must be told so.
  struct stat log {};
  const bool has_log = ::stat((path + "-wal").c_str(), &log) == 0 && log.st_size > 0;
  if (cannot_open && !has_log) {
    connection = connect(unwritten_store_uri(path), SQLITE_OPEN_URI);
    problem = store_problem(connection.get(), cannot_open);
  } else if (cannot_open) {
    problem =
        with_disk_refusal(problem, path) + ". Its newest records are in its log (" + path +
        "-wal), which is read only where the directory can be written, or while an agent runs: "
        "copy both files to a directory of your own";
  }
  if (!problem.empty()) {
    return tl::unexpected(where + problem);
  }
  const std::string settings =
      "PRAGMA cache_size = -" +
      std::to_string(std::max<std::size_t>(64, options.page_cache_bytes / 1024)) +
      "; PRAGMA temp_store = MEMORY";
  sqlite3_exec(connection.get(), settings.c_str(), nullptr, nullptr, nullptr);
  register_functions(connection.get());
  auto reader = std::make_unique<Reader>(nullptr);
  reader->implementation_ = std::make_unique<Implementation>(std::move(connection), options);
  return reader;
}

Reader::Reader(sqlite3* borrowed, const ReaderOptions& options)
    : implementation_(std::make_unique<Implementation>(borrowed, options)) {}

Reader::~Reader() = default;

StoreInformation Reader::information() {
  Statement select(connection(), "SELECT region, account_id, created_at FROM main.store");
  if (!select.step()) {
    throw StoreError("this is not an invlog store: its `store` row is missing");
  }
  StoreInformation information;
  information.region = select.bytes(0);
  information.account_id = select.bytes(1);
  information.created_at = select.bytes(2);
  information.host = current_host(connection());
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
  implementation_->each(first, bodies, visit, {}, {});
}

void Reader::each(std::int64_t first, Bodies bodies,
                  const std::function<bool(StoredRecord&)>& visit, const Damaged& damaged,
                  const Gone& gone) {
  implementation_->each(first, bodies, visit, damaged, gone);
}

void Reader::release_memory() {
  implementation_->release_memory();
}

std::int64_t Reader::last_id() {
  return implementation_->last_id();
}

bool Reader::sees_what_is_newest() {
  return storage::sees_what_is_newest(connection());
}

sqlite3* Reader::connection() {
  return implementation_->connection();
}

}  // namespace invlog::storage
