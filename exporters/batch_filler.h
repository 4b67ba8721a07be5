// Reads records from the store into a batch. A record that the store cannot give back (its segment
// or its bodies are damaged) does not stop the rest: it is noted with the reason.
//
// Threads: one, its Shipper's. Ownership: it opens and closes the store; no snapshot is held
// between calls. Errors: StoreError if the store itself cannot be read (missing, locked); what the
// batch throws passes through. After either the batch is of no use any more.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "exporters/destination.h"
#include "storage/delivery_ledger.h"
#include "storage/reader.h"

namespace invlog::exporters {

// A batch from its first record to the ledger's knowing that it arrived.
struct PendingBatch {
  Origin origin;  // before the batch, which refers to it
  std::unique_ptr<Batch> batch;
  std::int64_t cursor = 0;        // the ledger's when it was begun
  std::int64_t last = 0;          // every record up to here is in the batch or in `refused`
  std::int64_t planned_last = 0;  // what the ledger has on record for it, 0 and "" if nothing
  std::string plan;
  std::int64_t newest_event = 0;        // the store's, before any record was read for it
  std::vector<Refused> refused;         // records that will not get there, found before any attempt
  std::int64_t newest = 0;              // the last record that is in the batch
  bool complete = false;                // takes no more records
  std::int64_t oldest_us = 0;           // when its oldest record was finished, Unix µs, 0 none
  std::chrono::milliseconds waited{0};  // for company
  int attempts = 0;
  // It is through, but the ledger does not know yet.
  std::optional<Sent> answer;
  bool rejected_alone = false;  // its one record is in `refused` instead

  // The ledger still says what it said when this was begun.
  bool continues(const storage::DeliveryState& state) const {
    return cursor == state.cursor && planned_last == state.planned_last && plan == state.plan;
  }
};

class BatchFiller {
 public:
  // `stopped`: asked between records; true ends fill() early.
  BatchFiller(std::string store_path, std::function<bool()> stopped);

  // The open store, for questions of one's own.
  storage::Reader& reader();
  // After a fault: the next call opens the store anew.
  void close();
  // Before a pause: gives back what reading bodies took.
  void release_memory();

  // Adds the records after pending.last up to `last`, but not more than `most_records` in all
  // (0: no bound), until the batch is complete.
  void fill(PendingBatch& pending, std::int64_t last, std::size_t most_records);
  // One record. No value: the store has none with this id. The error: why it cannot be read.
  tl::expected<std::optional<storage::StoredRecord>, std::string> read(std::int64_t id);

 private:
  void take(PendingBatch& pending, const storage::StoredRecord& record, std::size_t most_records);
  void refuse(PendingBatch& pending, std::int64_t id, const std::string& reason);

  const std::string store_path_;
  const std::function<bool()> stopped_;
  std::unique_ptr<storage::Reader> reader_;
  bool holds_bodies_ = false;
};

// When a record was finished, Unix µs.
std::int64_t finished_at_us(const storage::Record& record);

}  // namespace invlog::exporters
