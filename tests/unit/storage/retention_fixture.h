// A store under retention, with a clock of its own, and what its tests measure of it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "storage/delivery_ledger.h"
#include "storage/writer.h"
#include "tests/unit/storage/temporary_store.h"

namespace invlog::storage {

constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::int64_t kHourUs = 3600 * kSecondUs;
constexpr std::uint64_t kCap = 16 << 20;

class RetentionFixture {
 public:
  RetentionFixture();

  // Options with `max_size` kCap and the destination "s3".
  WriterOptions options() const;
  std::unique_ptr<DeliveryLedger> ledger() const;

  // Of database file and write-ahead log, bytes.
  std::uint64_t size() const;
  std::int64_t number(const std::string& sql) const;
  std::int64_t first_record() const { return number("SELECT min(id) FROM record"); }
  std::int64_t last_record() const { return number("SELECT max(id) FROM record"); }
  void check_whole() const;

  TemporaryStore store;
  std::shared_ptr<std::atomic<std::int64_t>> now;  // Unix µs
};

// A record whose bodies do not compress, and are told by its number.
Record noisy_record(std::int64_t number, std::size_t bytes);
// Waits up to ten seconds.
bool comes_true(const std::function<bool()>& condition);

}  // namespace invlog::storage
