#include "storage/segment_decoder.h"

#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "storage/store_error.h"
#include "storage/varint.h"

namespace invlog::storage {
namespace {

// The writer's own chains are far shorter (ReferenceMatcher::kMaximumDepth); this only stops a
// crafted stream.
constexpr std::size_t kMaximumSteps = 1 << 22;
constexpr std::uint64_t kFirstCapacity = 1 << 20;

}  // namespace

void SegmentDecoder::FreeContext::operator()(ZSTD_DCtx_s* context) const {
  ZSTD_freeDCtx(context);
}

SegmentDecoder::SegmentDecoder(std::uint64_t stream_bytes, std::uint64_t maximum_stream_bytes)
    : context_(ZSTD_createDCtx()), maximum_stream_bytes_(maximum_stream_bytes) {
  if (!context_) {
    throw std::bad_alloc();
  }
  // The largest window that FORMAT.md allows, and so all the memory that a frame may ask for.
  ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, 22);
  // One byte more than needed, so that zstd can say that the frame has ended.
  capacity_ =
      std::min(stream_bytes != 0 ? stream_bytes + 1 : kFirstCapacity, maximum_stream_bytes_ + 1);
  buffer_ = std::make_unique_for_overwrite<char[]>(capacity_);
}

SegmentDecoder::~SegmentDecoder() = default;

void SegmentDecoder::make_room() {
  if (decoded_ < capacity_) {
    return;
  }
  const std::uint64_t larger = std::min(capacity_ * 2, maximum_stream_bytes_ + 1);
  if (larger <= capacity_) {
    throw StoreError("its stream is longer than it may be, " +
                     std::to_string(maximum_stream_bytes_) + " bytes");
  }
  auto buffer = std::make_unique_for_overwrite<char[]>(larger);
  std::memcpy(buffer.get(), buffer_.get(), decoded_);
  buffer_ = std::move(buffer);
  capacity_ = larger;
}

void SegmentDecoder::feed(std::string_view compressed) {
  ZSTD_inBuffer input{compressed.data(), compressed.size(), 0};
  bool output_was_full = false;
  while (input.pos < input.size || output_was_full) {
    if (ended_) {
      throw StoreError("bytes follow the end of its compressed frame");
    }
    make_room();
    ZSTD_outBuffer output{buffer_.get(), capacity_, decoded_};
    const std::size_t result = ZSTD_decompressStream(context_.get(), &output, &input);
    if (ZSTD_isError(result) != 0) {
      if (ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation) {
        throw std::bad_alloc();
      }
      parse();  // what lies before the damage can be read
      throw StoreError(std::string("its compressed bytes are damaged: ") +
                       ZSTD_getErrorName(result));
    }
    decoded_ = output.pos;
    ended_ = result == 0;
    output_was_full = !ended_ && output.pos == output.size;
    if (decoded_ > maximum_stream_bytes_) {
      throw StoreError("its stream is longer than it may be, " +
                       std::to_string(maximum_stream_bytes_) + " bytes");
    }
  }
  parse();
}

void SegmentDecoder::parse() {
  while (parsed_ < decoded_ && parse_entry()) {
  }
}

void SegmentDecoder::check_reference(std::uint64_t distance, std::uint64_t length) const {
  if (distance == 0 || distance > entries_.size() ||
      length > entries_[entries_.size() - distance].request_bytes) {
    throw StoreError("entry " + std::to_string(entries_.size()) +
                     " refers to bytes that no earlier entry has");
  }
}

// False: the entry is not complete yet.
bool SegmentDecoder::parse_entry() {
  std::string_view input(buffer_.get() + parsed_, decoded_ - parsed_);
  Entry entry{};
  std::uint64_t prefix_distance = 0, suffix_distance = 0;
  if (!take_varint(input, entry.request_bytes) || !take_varint(input, entry.response_bytes) ||
      !take_varint(input, entry.prefix_length) ||
      (entry.prefix_length > 0 && !take_varint(input, prefix_distance)) ||
      !take_varint(input, entry.suffix_length) ||
      (entry.suffix_length > 0 && !take_varint(input, suffix_distance))) {
    constexpr std::size_t kLongestHeader = 60;
    if (input.size() >= kLongestHeader) {
      throw StoreError("entry " + std::to_string(entries_.size()) + " has no valid header");
    }
    return false;
  }
  if (entry.request_bytes > kMaximumBodyBytes || entry.response_bytes > kMaximumBodyBytes ||
      entry.prefix_length > entry.request_bytes ||
      entry.suffix_length > entry.request_bytes - entry.prefix_length) {
    throw StoreError("entry " + std::to_string(entries_.size()) + " has impossible lengths");
  }
  if (entry.prefix_length > 0) {
    check_reference(prefix_distance, entry.prefix_length);
    entry.prefix_entry = static_cast<std::uint32_t>(entries_.size() - prefix_distance);
  }
  if (entry.suffix_length > 0) {
    check_reference(suffix_distance, entry.suffix_length);
    entry.suffix_entry = static_cast<std::uint32_t>(entries_.size() - suffix_distance);
  }
  if (input.size() < entry.literal_length() + entry.response_bytes) {
    return false;
  }
  entry.literal = static_cast<std::uint64_t>(input.data() - buffer_.get());
  parsed_ = entry.literal + entry.literal_length() + entry.response_bytes;
  entries_.push_back(entry);
  return true;
}

std::string_view SegmentDecoder::response(std::size_t index) const {
  const Entry& entry = entries_[index];
  return {buffer_.get() + entry.literal + entry.literal_length(), entry.response_bytes};
}

// References point backwards only, so every piece of work leads to an earlier entry and the loop
// ends.
std::string SegmentDecoder::request(std::size_t index) const {
  struct Piece {
    std::size_t entry;
    std::uint64_t start, length;  // of that entry's request body
    char* to;
  };
  std::string body(entries_[index].request_bytes, '\0');
  std::vector<Piece> work{{index, 0, body.size(), body.data()}};
  for (std::size_t steps = 0; !work.empty(); ++steps) {
    if (steps == kMaximumSteps) {
      throw StoreError("entry " + std::to_string(index) + " has an endless chain of references");
    }
    Piece piece = work.back();
    work.pop_back();
    const Entry& entry = entries_[piece.entry];
    if (piece.start < entry.prefix_length && piece.length > 0) {
      const std::uint64_t length = std::min(piece.length, entry.prefix_length - piece.start);
      work.push_back({entry.prefix_entry, piece.start, length, piece.to});
      piece.start += length, piece.length -= length, piece.to += length;
    }
    const std::uint64_t literal_end = entry.prefix_length + entry.literal_length();
    if (piece.start < literal_end && piece.length > 0) {
      const std::uint64_t length = std::min(piece.length, literal_end - piece.start);
      std::memcpy(piece.to, buffer_.get() + entry.literal + (piece.start - entry.prefix_length),
                  length);
      piece.start += length, piece.length -= length, piece.to += length;
    }
    if (piece.length > 0) {
      const std::uint64_t from_end = entry.request_bytes - piece.start;
      const std::uint64_t source_bytes = entries_[entry.suffix_entry].request_bytes;
      work.push_back({entry.suffix_entry, source_bytes - from_end, piece.length, piece.to});
    }
  }
  return body;
}

}  // namespace invlog::storage
