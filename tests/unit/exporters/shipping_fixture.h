// A store with records, a clock that only waiting moves, and a Shipper between it and a fake
// destination.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "exporters/shipper.h"
#include "storage/delivery_ledger.h"
#include "tests/unit/exporters/fake_destination.h"
#include "tests/unit/storage/temporary_store.h"

namespace invlog::exporters {

class ShippingFixture {
 public:
  // Records' own time, Unix µs; the clock starts one hour later.
  static constexpr std::int64_t kRecorded = 1'790'000'000'000'000;

  explicit ShippingFixture(FakeOptions options = {});

  // Writes records with the real Writer. `started_at_us` 0: now on the fixture's clock.
  void write(int count, std::int64_t started_at_us = kRecorded, std::size_t body_bytes = 100);
  // So that wait() ends run() after this many waits.
  void run(int waits);
  DrainResult drain(std::chrono::milliseconds give_up_after = {});
  // A new Shipper at the next run() or drain(), as after a restart.
  void restart() { shipper_.reset(); }
  Shipper& shipper();

  storage::DeliveryLedger& ledger();
  storage::DeliveryState state() { return ledger().state(options_.name); }
  std::vector<std::int64_t> dead_records();
  std::int64_t waited_ms() const;

  storage::TemporaryStore store;
  FakeService service;
  FakeOptions options_;
  std::unique_ptr<FakeDestination> destination;
  ShipperOptions shipper_options;
  std::int64_t now_us = kRecorded + 3'600'000'000;
  std::vector<std::chrono::milliseconds> waits;
  std::function<void()> on_wait;
  std::vector<DrainProgress> progress;

 private:
  std::unique_ptr<Shipper> shipper_;
  std::unique_ptr<storage::DeliveryLedger> ledger_;
  int waits_left_ = 0;
};

std::vector<std::int64_t> numbers(std::int64_t first, std::int64_t last);

}  // namespace invlog::exporters
