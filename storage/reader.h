// Read-only access to a store, for the command line, the exporters and the SQLite extension. Works
// while an agent writes and on a store that no agent has open.
//
// Threads: one Reader belongs to one thread. Ownership: opens and closes its own connection unless
// given one. Errors: open() returns why it could not (an ordinary outcome); a body that fails its
// checksum or a damaged segment throws StoreError naming record, segment and cause.
#pragma once

#include <sqlite3.h>

#include <cstddef>
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
  std::string region, account_id;  // that it is pinned to
  std::string host;                // of the records to come; each record has its own
  std::string created_at;          // ISO 8601 UTC
  int format_version = 0;
};

// A Record as read back, with what only the store knows.
struct StoredRecord {
  std::int64_t id = 0;
  std::int64_t segment = 0;
  std::string host;                // where it was made; "" not known
  Record record;                   // bodies empty unless asked for
  std::int64_t request_bytes = 0;  // lengths of the stored bodies
  std::int64_t response_bytes = 0;
  bool erased = false;  // its bodies were (FORMAT.md, "Erasure")
};

enum class Bodies { none, request, response, both };

// What a reader may keep in memory. A shipper, which reads on and on from front to back, needs one
// segment and next to no pages.
struct ReaderOptions {
  std::size_t cached_segments = 2;  // decoded, each about its stream's length (16 MiB) and 2 MiB
  std::size_t page_cache_bytes = 8 << 20;  // of SQLite
};

class Reader {
 public:
  // Opens `path` read-only. The error is one clear line for a person: what, where, what to do.
  static tl::expected<std::unique_ptr<Reader>, std::string> open(const std::string& path,
                                                                 const ReaderOptions& options = {});
  // Uses a connection owned by the caller (the extension).
  explicit Reader(sqlite3* borrowed, const ReaderOptions& options = {});
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  StoreInformation information();
  std::optional<StoredRecord> find(std::int64_t id, Bodies bodies);
  // The newest record with this x-amzn-RequestId.
  std::optional<StoredRecord> find_by_request_id(std::string_view request_id, Bodies bodies);
  // In id order from `first` (inclusive) until `visit` returns false or the last record that was
  // there at the beginning was visited. Records are read in portions of some hundred KiB, each in a
  // snapshot of its own that is let go before they are visited, since a writer's log cannot be
  // emptied while one is held: `visit` may take as long as it likes. So a record is as it was
  // shortly before it is visited: one that retention takes meanwhile is passed over, one that is
  // erased has no bodies. Calling it again behind the last record decodes nothing twice. A damaged
  // record throws StoreError.
  void each(std::int64_t first, Bodies bodies, const std::function<bool(StoredRecord&)>& visit);
  // A damaged record goes to `damaged` (its id, and what is wrong) instead of to `visit`, and
  // reading goes on behind it until one of them returns false. What is no damage (a disk that does
  // not answer, a locked store) throws StoreError all the same.
  using Damaged = std::function<bool(std::int64_t id, const std::string& why)>;
  // Hears which ids from `first` on were not there any more when it was their turn: retention has
  // taken them.
  using Gone = std::function<void(std::int64_t first, std::int64_t last)>;
  void each(std::int64_t first, Bodies bodies, const std::function<bool(StoredRecord&)>& visit,
            const Damaged& damaged, const Gone& gone = {});
  // False: this one was opened by a user who may not write the store's directory, while nobody
  // wrote the store, and somebody has begun to. What is new is seen by a Reader opened now. Once
  // the file itself is changed, what is read here throws StoreError.
  bool sees_what_is_newest();
  // Gives decoded segments and cached pages back, before a pause.
  void release_memory();
  // Highest record id, 0 if none. Where a damaged page hides it, the first id that cannot be read
  // of those that no closed segment has.
  std::int64_t last_id();
  // The connection, for SQL of one's own; has functions.h's registered.
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

// What a line shows instead of what is too long for it: of a JSON body, of the request's metadata
// and of the details other, shorter JSON ("" leaves the member out), of another body its first
// bytes. The line says so under `invlog`: inputCut and inputOriginalBytes, outputCut and
// outputOriginalBytes, requestMetadataCut, detailsCut.
struct LineCuts {
  std::optional<std::string> input, output, request_metadata, details;
};
std::string record_json(const StoreInformation& store, const StoredRecord& stored,
                        const BodyPlaces& places, const LineCuts& cuts);

}  // namespace invlog::storage
