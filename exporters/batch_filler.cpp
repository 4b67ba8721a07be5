#include "exporters/batch_filler.h"

#include <algorithm>

#include "storage/row_order.h"
#include "storage/store_error.h"

namespace invlog::exporters {
namespace {

// So many unreadable records end a batch: what the ledger takes in one transaction is bounded.
constexpr std::size_t kMostRefused = 1000;

}  // namespace

std::int64_t finished_at_us(const storage::Record& record) {
  return record.started_at_us + record.duration_us.value_or(0);
}

BatchFiller::BatchFiller(std::string store_path, std::function<bool()> stopped)
    : store_path_(std::move(store_path)), stopped_(std::move(stopped)) {}

storage::Reader& BatchFiller::reader() {
  if (!reader_) {
    storage::ReaderOptions options;
    options.cached_segments = 1;
    options.page_cache_bytes = 256 << 10;
    auto opened = storage::Reader::open(store_path_, options);
    if (!opened) {
      throw storage::StoreError(opened.error());
    }
    reader_ = std::move(*opened);
  }
  return *reader_;
}

void BatchFiller::close() {
  reader_.reset();
  holds_bodies_ = false;
}

void BatchFiller::release_memory() {
  if (reader_ && holds_bodies_) {
    reader_->release_memory();
  }
  holds_bodies_ = false;
}

void BatchFiller::fill(PendingBatch& pending, std::int64_t last, std::size_t most_records) {
  holds_bodies_ = true;
  bool ended_early = false;
  const auto goes_on = [&] {
    ended_early = pending.complete || stopped_();
    return !ended_early;
  };
  reader().each(
      pending.last + 1, storage::Bodies::both,
      [&](storage::StoredRecord& record) {
        if (record.id > last) {
          return false;
        }
        take(pending, record, most_records);
        return goes_on();
      },
      [&](std::int64_t id, const std::string& why) {
        if (id > last) {
          return false;
        }
        refuse(pending, id, why);
        return goes_on();
      });
  if (!ended_early) {
    pending.last = last;  // whatever ids are missing, retention has taken
  }
}

void BatchFiller::take(PendingBatch& pending, const storage::StoredRecord& record,
                       std::size_t most_records) {
  storage::require_order(record.id, storage::number_behind(pending.last));
  Batch& batch = *pending.batch;
  if (batch.add(record) == Batch::Added::full) {
    if (batch.records() > 0) {
      pending.complete = true;
    } else {
      refuse(pending, record.id, "it does not fit into a batch, even alone");
    }
    return;
  }
  pending.newest = record.id;
  pending.last = record.id;
  const std::int64_t finished = finished_at_us(record.record);
  pending.oldest_us = pending.oldest_us == 0 ? finished : std::min(pending.oldest_us, finished);
  // A plan says what is in its batch; nothing else ends it.
  pending.complete = pending.planned_last == 0 &&
                     (batch.full() || (most_records != 0 && batch.records() >= most_records));
}

void BatchFiller::refuse(PendingBatch& pending, std::int64_t id, const std::string& reason) {
  storage::require_order(id, storage::number_behind(pending.last));
  pending.refused.push_back({id, reason});
  pending.last = id;
  pending.complete = pending.planned_last == 0 && pending.refused.size() >= kMostRefused;
}

tl::expected<std::optional<storage::StoredRecord>, std::string> BatchFiller::read(std::int64_t id) {
  holds_bodies_ = true;
  tl::expected<std::optional<storage::StoredRecord>, std::string> found;
  reader().each(
      id, storage::Bodies::both,
      [&](storage::StoredRecord& record) {
        if (record.id == id) {
          found = std::move(record);
        }
        return false;
      },
      [&](std::int64_t damaged, const std::string& why) {
        if (damaged == id) {
          found = tl::unexpected(why);
        }
        return false;
      });
  return found;
}

}  // namespace invlog::exporters
