// What /metrics says of the store and of delivery: file sizes, each destination's figures, and how
// many events of each kind there are.
//
// Why it keeps its reader: the ledger counts a backlog on from where it stood the last time, so
// that asking costs little however much waits. A file that was removed and written again is opened
// anew.
//
// Thread: one, which may block (not the I/O thread), but for give_up(). Errors: none thrown; what
// cannot be read is in `problem`, and the next look opens the store again.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/delivery_ledger.h"
#include "storage/reader.h"

namespace invlog::admin {

struct DestinationFacts {
  storage::DeliveryState state;
  storage::Backlog backlog;
  std::int64_t dead_letters = 0;
  std::int64_t lost = 0;  // records that retention took before the destination had them
};

struct StoreFacts {
  std::string problem;  // why the store could not be read, "" if it could
  std::uint64_t database_bytes = 0, wal_bytes = 0;
  std::int64_t last_record = 0;
  std::vector<DestinationFacts> destinations;                // that delivery has begun to
  std::vector<std::pair<std::string, std::int64_t>> events;  // kind and number
};

class StoreWatch {
 public:
  // What was read is used again for so long.
  static constexpr std::chrono::seconds kFresh{5};

  explicit StoreWatch(std::string store_path) : path_(std::move(store_path)) {}

  // `destinations`: the names of the configured ones; others that the store knows are left out.
  // Other names than the last time are read for at once.
  const StoreFacts& look(std::chrono::steady_clock::time_point now,
                         const std::vector<std::string>& destinations);

  // From any thread: a look that counts a backlog ends with a problem, and so do all that follow.
  void give_up() { given_up_ = true; }

 private:
  StoreFacts read();
  void open();
  void close();

  const std::string path_;
  std::atomic<bool> given_up_{false};
  std::vector<std::string> destinations_;
  std::unique_ptr<storage::Reader> reader_;
  std::unique_ptr<storage::DeliveryLedger> ledger_;  // reads through reader_
  StoreFacts facts_;
  std::optional<std::chrono::steady_clock::time_point> read_at_;
};

}  // namespace invlog::admin
