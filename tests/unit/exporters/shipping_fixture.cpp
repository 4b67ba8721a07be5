#include "tests/unit/exporters/shipping_fixture.h"

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace invlog::exporters {

using std::chrono::milliseconds;

ShippingFixture::ShippingFixture(FakeOptions options) : options_(std::move(options)) {
  // What a test does not look at in the log is of no interest.
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>()));
  destination = std::make_unique<FakeDestination>(options_, service);
  shipper_options.store_path = store.path();
  shipper_options.batch_age = milliseconds(5000);
  shipper_options.clock = [this] { return now_us; };
  shipper_options.steady = [this] {
    return std::chrono::steady_clock::time_point(milliseconds(waited_ms()));
  };
  shipper_options.random = [] { return 0.5; };
  shipper_options.wait = [this](milliseconds duration) {
    waits.push_back(duration);
    now_us += duration.count() * 1000;
    if (on_wait) {
      on_wait();
    }
    return waits_left_-- > 1;
  };
}

void ShippingFixture::write(int count, std::int64_t started_at_us, std::size_t body_bytes) {
  storage::WriterOptions options = store.options();
  options.commit_interval = milliseconds(1);
  storage::Writer writer(options);
  for (int number = 0; number < count; ++number) {
    storage::Record record = storage::record_with(
        "{\"prompt\":\"" + storage::prose(body_bytes, static_cast<std::uint64_t>(number)) + "\"}",
        "{\"answer\":1}");
    record.started_at_us = started_at_us != 0 ? started_at_us : now_us;
    storage::submit(writer, std::move(record));
  }
  writer.stop();
}

Shipper& ShippingFixture::shipper() {
  if (!shipper_) {
    shipper_ = std::make_unique<Shipper>(shipper_options, *destination);
  }
  return *shipper_;
}

void ShippingFixture::run(int waits) {
  waits_left_ = waits;
  shipper().run();
}

DrainResult ShippingFixture::drain(milliseconds give_up_after) {
  waits_left_ = std::numeric_limits<int>::max();
  return shipper().drain([this](const DrainProgress& now) { progress.push_back(now); },
                         give_up_after);
}

storage::DeliveryLedger& ShippingFixture::ledger() {
  if (!ledger_) {
    auto opened = storage::DeliveryLedger::open(store.path());
    if (!opened) {
      throw std::runtime_error(opened.error());
    }
    ledger_ = std::move(*opened);
  }
  return *ledger_;
}

std::vector<std::int64_t> ShippingFixture::dead_records() {
  std::vector<std::int64_t> records;
  for (const storage::DeadLetter& letter : ledger().dead_letters(options_.name)) {
    records.push_back(letter.record);
  }
  return records;
}

std::int64_t ShippingFixture::waited_ms() const {
  return std::accumulate(
      waits.begin(), waits.end(), std::int64_t{0},
      [](std::int64_t sum, milliseconds duration) { return sum + duration.count(); });
}

std::vector<std::int64_t> numbers(std::int64_t first, std::int64_t last) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(last - first + 1));
  std::iota(all.begin(), all.end(), first);
  return all;
}

}  // namespace invlog::exporters
