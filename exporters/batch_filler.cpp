#include "exporters/batch_filler.h"

#include <algorithm>

#include "storage/sqlite_api.h"
#include "storage/statement.h"
#include "storage/store_error.h"

namespace invlog::exporters {
namespace {

// So many unreadable records end a batch: what the ledger takes in one transaction is bounded.
constexpr std::size_t kMostRefused = 1000;
// A disk that fails once is no damaged record; one that fails so often at the same record is.
constexpr int kPatience = 10;

// What says nothing about the record: the same read may succeed later.
bool is_unavailable(const storage::StoreError& error) {
  switch (error.sqlite_code()) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_FULL:
    case SQLITE_PROTOCOL:
    case SQLITE_INTERRUPT:
    case SQLITE_SCHEMA:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::int64_t finished_at_us(const storage::Record& record) {
  return record.started_at_us + record.duration_us.value_or(0);
}

BatchFiller::BatchFiller(std::string store_path, std::function<bool()> stopped)
    : store_path_(std::move(store_path)), stopped_(std::move(stopped)) {}

storage::Reader& BatchFiller::reader() {
  if (!reader_) {
    auto opened = storage::Reader::open(store_path_);
    if (!opened) {
      throw storage::StoreError(opened.error(), SQLITE_CANTOPEN);
    }
    reader_ = std::move(*opened);
  }
  return *reader_;
}

void BatchFiller::release() {
  reader_.reset();
  holds_bodies_ = false;
}

void BatchFiller::fill(PendingBatch& pending, std::int64_t last, std::size_t most_records) {
  while (pending.last < last && !pending.complete && !stopped_()) {
    try {
      holds_bodies_ = true;
      bool ended_early = false;
      reader().each(pending.last + 1, storage::Bodies::both, [&](storage::StoredRecord& record) {
        if (record.id > last) {
          return false;
        }
        ended_early = !take(pending, record, most_records) || stopped_();
        return !ended_early;
      });
      if (!ended_early) {
        pending.last = last;  // whatever ids are missing, retention has taken
      }
    } catch (const storage::StoreError& error) {
      if (is_unavailable(error)) {
        throw;
      }
      take_after_damage(pending, last, most_records);
    }
  }
}

bool BatchFiller::take(PendingBatch& pending, const storage::StoredRecord& record,
                       std::size_t most_records) {
  Batch& batch = *pending.batch;
  if (batch.add(record) == Batch::Added::full) {
    if (batch.records() > 0) {
      pending.complete = true;
      return false;
    }
    pending.refused.push_back({record.id, "it does not fit into a batch, even alone"});
  } else {
    pending.newest = record.id;
    const std::int64_t finished = finished_at_us(record.record);
    pending.oldest_us = pending.oldest_us == 0 ? finished : std::min(pending.oldest_us, finished);
  }
  pending.last = record.id;
  // A plan says what is in its batch; nothing else ends it.
  const bool planned = pending.planned_last != 0;
  pending.complete = !planned && (batch.full() || pending.refused.size() >= kMostRefused ||
                                  (most_records != 0 && batch.records() >= most_records));
  return !pending.complete;
}

// The record after pending.last cannot be read, or could not at that moment: it is read once more,
// alone and through a new connection, before it is given up.
void BatchFiller::take_after_damage(PendingBatch& pending, std::int64_t last,
                                    std::size_t most_records) {
  release();
  const std::int64_t id = first_id_after(pending.last);
  if (id == 0 || id > last) {
    pending.last = last;
    return;
  }
  const auto record = read(id);
  if (record && *record) {
    take(pending, **record, most_records);
    return;
  }
  if (!record) {
    pending.refused.push_back({id, record.error()});
    pending.complete = pending.planned_last == 0 && pending.refused.size() >= kMostRefused;
  }
  pending.last = id;
}

tl::expected<std::optional<storage::StoredRecord>, std::string> BatchFiller::read(std::int64_t id) {
  try {
    holds_bodies_ = true;
    return reader().find(id, storage::Bodies::both);
  } catch (const storage::StoreError& error) {
    if (is_unavailable(error) || (error.sqlite_code() == SQLITE_IOERR && !is_hopeless(id))) {
      throw;
    }
    return tl::unexpected(std::string(error.what()));
  }
}

bool BatchFiller::is_hopeless(std::int64_t id) {
  failures_ = id == failed_record_ ? failures_ + 1 : 1;
  failed_record_ = id;
  return failures_ >= kPatience;
}

std::int64_t BatchFiller::first_id_after(std::int64_t id) {
  storage::Statement select(reader().connection(),
                            "SELECT coalesce(min(id), 0) FROM record WHERE id > ?1");
  return select.bind(1, id).step() ? select.integer(0) : 0;
}

}  // namespace invlog::exporters
