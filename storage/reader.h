// Read-only access to a store, for the command line, the exporters and the SQLite extension. Works
// while an agent writes and on a store that no agent has open.
//
// Threads: one Reader belongs to one thread. Ownership: opens and closes its own connection unless
// given one. Errors: open() returns why it could not (an ordinary outcome); a body that fails its
// checksum or a damaged segment throws StoreError naming record, segment and cause.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "storage/record.h"

namespace invlog::storage {

struct StoreInformation {
  std::string region, account_id, host,
      created_at;  // as pinned at birth; created_at is ISO 8601 UTC
  int format_version = 0;
};

// A Record as read back, with what only the store knows.
struct StoredRecord {
  std::int64_t id = 0;
  std::int64_t segment = 0;
  Record record;                   // bodies empty unless asked for
  std::int64_t request_bytes = 0;  // lengths of the stored bodies
  std::int64_t response_bytes = 0;
};

enum class Bodies { none, request, response, both };

class Reader {
 public:
  // Opens `path` read-only. The error is one clear line for a person: what, where, what to do.
  static tl::expected<std::unique_ptr<Reader>, std::string> open(const std::string& path);
  // Uses a connection owned by the caller (the extension).
  explicit Reader(sqlite3* borrowed);
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  StoreInformation information();
  std::optional<StoredRecord> find(std::int64_t id, Bodies bodies);
  // The newest record with this x-amzn-RequestId.
  std::optional<StoredRecord> find_by_request_id(std::string_view request_id, Bodies bodies);
  // In id order from `first` (inclusive) until `visit` returns false or the records end. A snapshot
  // of that moment.
  void each(std::int64_t first, Bodies bodies, const std::function<bool(StoredRecord&)>& visit);
  // Highest record id, 0 if none.
  std::int64_t last_id();
  // The connection, for SQL of one's own; has invlog_request/response/record registered.
  sqlite3* connection();

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

// The AWS-schema line (facts: Model Invocation Logging §1.2-1.5, DESIGN.md "The record") of a
// record with its bodies: one line of JSON without the newline. storage/record_json.cpp.
std::string record_json(const StoreInformation& store, const StoredRecord& stored);

// Where a record's bodies are if not in its line: "s3://bucket/key", "" in the line. A body that is
// elsewhere leaves only its place there, as inputBodyS3Path or outputBodyS3Path, whether it is JSON
// or not.
struct BodyPlaces {
  std::string input, output;
};
std::string record_json(const StoreInformation& store, const StoredRecord& stored,
                        const BodyPlaces& places);

}  // namespace invlog::storage
