// What CloudTrail says of this store's records, and of calls that are not in it: the tables
// `trail`, `unseen_call` and `reconciliation`, and the records as far as they are compared with it.
// FORMAT.md, "Reconciliation".
//
// Why a connection of its own: `invlog reconcile` works beside a running agent. Its transactions
// are portions of a few thousand rows, and it reads in portions too, so that neither the writer nor
// the write-ahead log waits for it. Bodies are never read.
//
// Threads: one. Errors: open() returns why it could not; everything else throws StoreError.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "storage/retention_options.h"

namespace invlog::storage {

// A record as far as it is compared. Texts live until the visitor returns.
struct ComparedRecord {
  std::int64_t id = 0;
  std::int64_t started_at_us = 0;  // Unix time in µs
  std::string_view request_id;     // 16 bytes of a UUID, or text
  bool request_id_is_uuid = false;
  int status = 0;  // HTTP, 0 none
  std::string_view operation, model, outcome, scope, destinations;
  // What was found earlier.
  bool in_trail = false;
  std::string_view trail_region;
  bool trail_outside = false;
};

// Of `trail`.
struct TrailRow {
  std::int64_t record = 0;
  std::string region;      // where it was processed
  std::int64_t at_us = 0;  // the event's time, Unix time in µs
  std::string event_id;    // as text
  bool outside = false;
};

// Of `unseen_call`.
struct UnseenCall {
  std::string event_id;
  std::int64_t at_us = 0;  // Unix time in µs
  std::string request_id, operation, model, principal, source_address, inference_region, error;
};

// Of `event`.
struct LedgerEvent {
  std::string kind;
  std::int64_t count = 0;
  std::string details;  // JSON
};

// Of `reconciliation`. Times: Unix time in µs.
struct ReconciliationRow {
  std::string source;
  std::int64_t since_us = 0, until_us = 0;
  std::int64_t events = 0, matched = 0, unseen = 0, missing = 0, outside = 0;
};

// From the one to the other, both included. Unix time in µs.
struct TimeSpan {
  std::int64_t since_us = 0, until_us = 0;
};

class TrailLedger {
 public:
  // No call lasts longer, so that no record was started longer than this before its segment (µs).
  static constexpr std::int64_t kSlackUs = 3'900ll * 1'000'000;

  // Adds the tables to a store that does not have them yet. `vfs` and `clock` as DeliveryLedger.
  // `max_size_bytes`: the store's, 0 none, or none that is known.
  static tl::expected<std::unique_ptr<TrailLedger>, std::string> open(
      const std::string& store_path, const std::string& vfs = "",
      std::function<std::int64_t()> clock = {}, std::uint64_t max_size_bytes = 0);
  ~TrailLedger();
  TrailLedger(const TrailLedger&) = delete;
  TrailLedger& operator=(const TrailLedger&) = delete;

  // Of calls before then the store knows nothing: it was not there yet, or retention has taken
  // their records. Unix time in µs, whole seconds.
  std::int64_t known_from_us();

  // Records that were started within [since, until], and up to kSlackUs more on either side, and
  // others that share segments with them (so one whose clock was wrong is among them), in the order
  // of ids; until `visit` returns false. Costs as much as there are such records, however large the
  // store is, unless a clock was wrong.
  void each_record(std::int64_t since_us, std::int64_t until_us,
                   const std::function<bool(const ComparedRecord&)>& visit);
  // Calls that are written down as unseen: event id, request id.
  void each_unseen(
      const std::function<void(std::string_view event_id, std::string_view request_id)>& visit);
  bool is_unseen(std::string_view event_id);
  // Whence calls may be that an earlier comparison with `source` found unseen, and whose rows are
  // gone: its spans of which fewer are left than it found. Rows go oldest first, so each ends with
  // the oldest row that is left, at the latest; others of that second may be gone, too.
  std::vector<TimeSpan> delisted(const std::string& source);

  // Where the store has a max_size, for whoever adds unseen calls. apply() asks none of it.
  const RetentionOptions& limits() const;
  std::int64_t unseen_rows();
  // Whether the file, with its log, stays within it when it gets so many more.
  bool has_room(std::int64_t unseen_rows);
  // Takes up to `most` of those from before `before_us`, oldest first; returns how many.
  std::int64_t take_unseen(std::int64_t before_us, std::int64_t most);

  struct Changes {
    std::vector<LedgerEvent> events;
    std::vector<TrailRow> trail;     // new, or in the place of the record's earlier one
    std::vector<UnseenCall> unseen;  // new, in the order of event ids
    // Event ids that `unseen_call` has: their rows go, and comparisons whose spans they lie in
    // count them as matched.
    std::vector<std::string> seen_after_all;
  };
  // In portions. The events are written with the first: what is cut off by a crash is found, and
  // told, the next time. So put first what must not go without its event.
  void apply(const Changes& changes);

  // Replaces the row of the same source and span, if there is one.
  void put_reconciliation(const ReconciliationRow& row);

 private:
  class Implementation;
  explicit TrailLedger(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace invlog::storage
