#include "storage/segment_cache.h"

#include <algorithm>
#include <utility>

#include "storage/schema.h"
#include "storage/store_error.h"

namespace invlog::storage {
namespace {

// An open segment's length is in no row. It ends with the record that fills it, whose bodies are
// bounded.
constexpr std::uint64_t kMaximumStreamBytes = 1ull << 30;

}  // namespace

SegmentCache::SegmentCache(sqlite3* connection, std::size_t capacity)
    : connection_(connection), capacity_(capacity) {}

SegmentCache::Slot& SegmentCache::slot_of(const SegmentPlace& place) {
  const auto found = std::find_if(slots_.begin(), slots_.end(),
                                  [&](const Slot& slot) { return slot.segment == place.id; });
  if (found != slots_.end()) {
    slots_.splice(slots_.begin(), slots_, found);
  } else {
    if (slots_.size() >= capacity_) {
      slots_.pop_back();
    }
    Slot slot;
    slot.segment = place.id;
    restart(slot, place);
    slots_.push_front(std::move(slot));
  }
  return slots_.front();
}

void SegmentCache::restart(Slot& slot, const SegmentPlace& place) {
  const auto stream_bytes =
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, place.stream_bytes));
  const std::uint64_t limit =
      stream_bytes != 0 ? std::min(stream_bytes, kMaximumStreamBytes) : kMaximumStreamBytes;
  slot.decoder = std::make_unique<SegmentDecoder>(stream_bytes, limit);
  slot.chunk = 0;
  slot.fed.clear();
  slot.damage.clear();
}

const SegmentDecoder& SegmentCache::decoded(const SegmentPlace& place, std::size_t index) {
  Slot& slot = slot_of(place);
  if (slot.decoder->entries() > index) {
    return *slot.decoder;
  }
  const std::string where = "segment " + std::to_string(place.id) + ": ";
  if (!slot.damage.empty()) {
    throw StoreError(where + slot.damage);
  }
  try {
    feed(slot, place, index);
  } catch (const StoreError& error) {
    throw StoreError(where + error.what(), error.sqlite_code());
  }
  return *slot.decoder;
}

// Begins with the chunk that was fed last: it may have grown, and shows whether the stream is still
// the same.
void SegmentCache::feed(Slot& slot, const SegmentPlace& place, std::size_t index) {
  Statement select(connection_,
                   "SELECT id, bytes FROM main.chunk WHERE id BETWEEN ?1 AND ?2 ORDER BY id");
  select.bind(1, chunk_id(slot.segment, slot.chunk)).bind(2, chunk_id(slot.segment + 1, 0) - 1);
  for (bool first = true; slot.decoder->entries() <= index; first = false) {
    if (!select.step()) {
      throw StoreError("its stream ends after " + std::to_string(slot.decoder->entries()) +
                       " records, and holds no number " + std::to_string(index + 1));
    }
    const std::string_view bytes = select.bytes(1);
    if (first && !bytes.starts_with(slot.fed)) {
      restart(slot, place);
      feed(slot, place, index);
      return;
    }
    const bool last_was_full = slot.fed.size() == kChunkBytes;
    if (!first) {
      ++slot.chunk;
      slot.fed.clear();
    }
    if (select.integer(0) != chunk_id(slot.segment, slot.chunk) || bytes.size() > kChunkBytes ||
        (!first && !last_was_full)) {
      slot.damage = "a chunk is missing or has the wrong size before chunk " +
                    std::to_string(select.integer(0) - chunk_id(slot.segment, 0));
      throw StoreError(slot.damage);
    }
    feed_chunk(slot, bytes, index);
  }
}

void SegmentCache::feed_chunk(Slot& slot, std::string_view bytes, std::size_t index) {
  try {
    slot.decoder->feed(bytes.substr(slot.fed.size()));
  } catch (const StoreError& error) {
    slot.damage = error.what();
    if (slot.decoder->entries() <= index) {
      throw;
    }
  }
  slot.fed = bytes;
}

}  // namespace invlog::storage
