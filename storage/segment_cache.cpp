#include "storage/segment_cache.h"

#include <algorithm>
#include <string>

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

const SegmentDecoder& SegmentCache::decoded(const SegmentPlace& place, std::size_t index) {
  const auto found = std::find_if(slots_.begin(), slots_.end(),
                                  [&](const Slot& slot) { return slot.segment == place.id; });
  if (found != slots_.end()) {
    slots_.splice(slots_.begin(), slots_, found);
  } else {
    if (slots_.size() >= capacity_) {
      slots_.pop_back();
    }
    const auto stream_bytes =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, place.stream_bytes));
    const std::uint64_t limit =
        stream_bytes != 0 ? std::min(stream_bytes, kMaximumStreamBytes) : kMaximumStreamBytes;
    slots_.push_front({place.id, 0, std::make_unique<SegmentDecoder>(stream_bytes, limit)});
  }
  Slot& slot = slots_.front();
  if (slot.decoder->entries() <= index) {
    try {
      feed(slot, index);
    } catch (const StoreError& error) {
      slots_.pop_front();
      throw StoreError("segment " + std::to_string(place.id) + ": " + error.what());
    }
  }
  return *slot.decoder;
}

void SegmentCache::feed(Slot& slot, std::size_t index) {
  Statement select(connection_,
                   "SELECT id, bytes FROM chunk WHERE id BETWEEN ?1 AND ?2 ORDER BY id");
  std::int64_t expected = chunk_id(slot.segment, static_cast<std::int64_t>(slot.fed / kChunkBytes));
  std::size_t skip = slot.fed % kChunkBytes;
  select.bind(1, expected).bind(2, chunk_id(slot.segment + 1, 0) - 1);
  for (; slot.decoder->entries() <= index; ++expected) {
    if (!select.step()) {
      throw StoreError("its stream ends after " + std::to_string(slot.decoder->entries()) +
                       " records, and holds no number " + std::to_string(index + 1));
    }
    const std::string_view bytes = select.bytes(1);
    if (select.integer(0) != expected || bytes.size() < skip || bytes.size() > kChunkBytes) {
      throw StoreError("a chunk is missing or has the wrong size before chunk " +
                       std::to_string(select.integer(0) - chunk_id(slot.segment, 0)));
    }
    slot.decoder->feed(bytes.substr(skip));
    slot.fed += bytes.size() - skip;
    skip = 0;
  }
}

}  // namespace invlog::storage
