#include "storage/request_keys.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "storage/statement.h"
#include "storage/store_error.h"
#include "storage/uuid.h"

namespace invlog::storage {
namespace {

constexpr std::size_t kTailBytes = 4;
constexpr std::size_t kNumberBytes = 2;
constexpr std::size_t kEntryBytes = kTailBytes + kNumberBytes;

std::string tail_of(std::string_view stored_id) {
  std::string tail(stored_id.substr(stored_id.size() - std::min(stored_id.size(), kTailBytes)));
  tail.resize(kTailBytes, '\0');
  return tail;
}

std::string entry(std::string_view stored_id, std::int64_t number) {
  std::string bytes = tail_of(stored_id);
  bytes.push_back(static_cast<char>(number >> 8));
  bytes.push_back(static_cast<char>(number & 0xff));
  return bytes;
}

class Search {
 public:
  Search(sqlite3* connection, std::string_view request_id)
      : uuid_(uuid_bytes(request_id)),
        id_(uuid_ ? *uuid_ : std::string(request_id)),
        matches_(connection, "SELECT 1 FROM record WHERE id = ?1 AND request_id = ?2"),
        scan_(connection,
              "SELECT max(id) FROM record WHERE id BETWEEN ?1 AND ?2 AND request_id = ?3") {}

  std::optional<std::int64_t> scan(std::int64_t first, std::int64_t last) {
    scan_.bind(1, first).bind(2, last);
    bind_id(scan_, 3);
    scan_.step();
    const auto found = scan_.optional_integer(0);
    scan_.reset();
    return found;
  }

  std::optional<std::int64_t> bisect(std::int64_t first, std::string_view keys) {
    const std::string tail = tail_of(id_);
    std::size_t low = 0, high = keys.size() / kEntryBytes;
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      if (keys.substr(middle * kEntryBytes, kTailBytes) <= tail) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    // `low` is behind the last entry with this tail; the newest comes first.
    for (; low > 0 && keys.substr((low - 1) * kEntryBytes, kTailBytes) == tail; --low) {
      const std::string_view number = keys.substr((low - 1) * kEntryBytes + kTailBytes);
      const std::int64_t id = first + static_cast<unsigned char>(number[0]) * 256 +
                              static_cast<unsigned char>(number[1]);
      matches_.bind(1, id);
      bind_id(matches_, 2);
      const bool found = matches_.step();
      matches_.reset();
      if (found) {
        return id;
      }
    }
    return std::nullopt;
  }

 private:
  void bind_id(Statement& statement, int index) {
    uuid_ ? statement.bind_blob(index, id_) : statement.bind_text(index, id_);
  }

  std::optional<std::string> uuid_;
  std::string id_;
  Statement matches_, scan_;
};

}  // namespace

std::string request_keys(sqlite3* connection, std::int64_t first, std::int64_t last,
                         bool around_damage) {
  Statement select(connection, "SELECT id, request_id FROM record WHERE id BETWEEN ?1 AND ?2");
  std::vector<std::string> entries;
  std::int64_t next = first;
  // A number behind the last that a segment may have would not fit in.
  while (next <= last && next - first < kMaximumSegmentRecords) {
    select.bind(1, next).bind(2, last);
    try {
      while (select.step()) {
        if (!select.is_null(1)) {
          entries.push_back(entry(select.bytes(1), select.integer(0) - first));
        }
        next = std::max(next, select.integer(0));
      }
      break;
    } catch (const StoreError& error) {
      if (!around_damage || error.sqlite_code() != SQLITE_CORRUPT) {
        throw;
      }
      ++next;
      select.reset();
    }
  }
  std::sort(entries.begin(), entries.end());
  std::string keys;
  keys.reserve(entries.size() * kEntryBytes);
  for (const std::string& bytes : entries) {
    keys += bytes;
  }
  return keys;
}

std::optional<std::int64_t> find_request(sqlite3* connection, std::string_view request_id) {
  Search search(connection, request_id);
  Statement segments(
      connection, "SELECT first_record, last_record, request_keys FROM segment ORDER BY id DESC");
  while (segments.step()) {
    const std::int64_t first = segments.integer(0);
    const auto last = segments.optional_integer(1);
    const auto found = last ? search.bisect(first, segments.bytes(2))
                            : search.scan(first, std::numeric_limits<std::int64_t>::max());
    if (found) {
      return found;
    }
  }
  return std::nullopt;
}

}  // namespace invlog::storage
